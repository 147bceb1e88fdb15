package uk.ac.manchester.tornado.api;

/** Times of one execution, in nanoseconds. */
public class TornadoProfilerResult {
    TornadoProfilerResult() {
        throw NoRuntime.error();
    }

    public long getDeviceKernelTime() {
        throw NoRuntime.error();
    }

    /** Times of every task, as JSON. */
    public String getProfileLog() {
        throw NoRuntime.error();
    }
}
