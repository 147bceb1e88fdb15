package dev.whirlwind.tornado;

import uk.ac.manchester.tornado.api.TaskGraph;

/**
 * One kernel with its arguments, in the two ways to run it.
 *
 * @param loops calls the kernel method on the JVM
 * @param task adds it to a task graph
 * @param grid null lets TornadoVM choose
 */
record Call(String name, Runnable loops, Task task, Grid grid) {
    /** Work items in both directions, and those of a group. */
    record Grid(int x, int y, int groupX, int groupY) {}

    /** Adds a call to a graph under a name. */
    @FunctionalInterface
    interface Task {
        TaskGraph add(TaskGraph graph, String id);
    }
}
