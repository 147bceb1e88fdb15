package uk.ac.manchester.tornado.api;

/** The back ends that were found. */
public interface TornadoRuntime {
    int getNumBackends();

    TornadoBackend getBackend(int index);
}
