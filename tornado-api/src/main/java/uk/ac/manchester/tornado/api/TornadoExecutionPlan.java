package uk.ac.manchester.tornado.api;

import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.ProfilerMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;

/** Runs task graphs on a device. */
public class TornadoExecutionPlan implements AutoCloseable {
    public TornadoExecutionPlan(ImmutableTaskGraph... graphs) {
        throw NoRuntime.error();
    }

    public TornadoExecutionResult execute() {
        throw NoRuntime.error();
    }

    public TornadoExecutionPlan withGraph(int index) {
        throw NoRuntime.error();
    }

    public TornadoExecutionPlan withDevice(TornadoDevice device) {
        throw NoRuntime.error();
    }

    public TornadoExecutionPlan withGridScheduler(GridScheduler scheduler) {
        throw NoRuntime.error();
    }

    public TornadoExecutionPlan withProfiler(ProfilerMode mode) {
        throw NoRuntime.error();
    }

    public TornadoExecutionPlan freeDeviceMemory() {
        throw NoRuntime.error();
    }

    @Override
    public void close() throws TornadoExecutionPlanException {
        throw NoRuntime.error();
    }
}
