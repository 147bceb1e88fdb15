package uk.ac.manchester.tornado.api;

/** A task graph that is ready to be put into an execution plan. */
public class ImmutableTaskGraph {
    ImmutableTaskGraph() {
        throw NoRuntime.error();
    }
}
