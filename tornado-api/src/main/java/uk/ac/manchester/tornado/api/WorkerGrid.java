package uk.ac.manchester.tornado.api;

/** How many work items a kernel gets, and how they are grouped. */
public interface WorkerGrid {
    void setGlobalWork(long x, long y, long z);

    void setLocalWork(long x, long y, long z);
}
