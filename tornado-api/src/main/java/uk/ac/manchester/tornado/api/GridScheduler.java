package uk.ac.manchester.tornado.api;

import java.util.Set;

/** The worker grids of tasks, by "graph.task". */
public class GridScheduler {
    public GridScheduler() {
        throw NoRuntime.error();
    }

    public Set<String> keySet() {
        throw NoRuntime.error();
    }

    public void addWorkerGrid(String task, WorkerGrid grid) {
        throw NoRuntime.error();
    }
}
