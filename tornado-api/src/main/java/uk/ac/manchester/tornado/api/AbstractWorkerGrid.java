package uk.ac.manchester.tornado.api;

/** What worker grids share. */
public abstract class AbstractWorkerGrid implements WorkerGrid {
    protected AbstractWorkerGrid(long x, long y, long z) {
        throw NoRuntime.error();
    }

    @Override
    public void setGlobalWork(long x, long y, long z) {
        throw NoRuntime.error();
    }

    @Override
    public void setLocalWork(long x, long y, long z) {
        throw NoRuntime.error();
    }
}
