package dev.whirlwind.tornado;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.UserException;

/**
 * Device tests run where .ci/run finds a TornadoVM SDK and there is a device; elsewhere they are skipped by name, or fail
 * where {@code WHIRLWIND_DEVICE_TESTS=required} says that there must be one.
 */
final class Sdk {
    private Sdk() {}

    static Engine engine() {
        return engine(Precision.FP32);
    }

    static Engine engine(Precision precision) {
        assumeDevice();
        return new TornadoEngine(Devices.find(null), precision, (done, known, seconds) -> {});
    }

    /** With the kernels for GPUs, on whatever device there is. */
    static Engine engineForGpus() {
        return engineForGpus(Precision.FP32);
    }

    static Engine engineForGpus(Precision precision) {
        assumeDevice();
        DeviceInfo info = Devices.find(null);
        return new TornadoEngine(info, precision, info.memory(), true, 16);
    }

    static void assumeDevice() {
        String problem = null;
        try {
            Devices.list();
        } catch (UserException e) {
            problem = e.getMessage();
        }
        if (problem != null && "required".equals(System.getenv("WHIRLWIND_DEVICE_TESTS"))) {
            throw new AssertionError("device tests are required here, but " + problem);
        }
        assumeTrue(problem == null, "needs a TornadoVM SDK and an OpenCL device: " + problem);
    }
}
