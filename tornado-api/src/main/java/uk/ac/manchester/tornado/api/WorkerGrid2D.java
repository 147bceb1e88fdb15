package uk.ac.manchester.tornado.api;

/** Work items in a rectangle. */
public class WorkerGrid2D extends AbstractWorkerGrid {
    public WorkerGrid2D(int x, int y) {
        super(x, y, 1);
    }
}
