package uk.ac.manchester.tornado.api;

/** What one execution left on the device. */
public class TornadoExecutionResult {
    TornadoExecutionResult() {
        throw NoRuntime.error();
    }

    public TornadoProfilerResult getProfilerResult() {
        throw NoRuntime.error();
    }

    public TornadoExecutionResult transferToHost(Object... objects) {
        throw NoRuntime.error();
    }

    public TornadoExecutionResult transferToHost(DataRange range) {
        throw NoRuntime.error();
    }
}
