package uk.ac.manchester.tornado.api;

/** Times of one execution, in nanoseconds. */
public class TornadoProfilerResult {
    TornadoProfilerResult() {
        throw NoRuntime.error();
    }

    public long getDeviceKernelTime() {
        throw NoRuntime.error();
    }
}
