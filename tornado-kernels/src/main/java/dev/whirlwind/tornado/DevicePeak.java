package dev.whirlwind.tornado;

import dev.whirlwind.model.UserException;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.enums.ProfilerMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * What a device gives at most in fp32, which kernels are measured against: the best of several runs, as the device's own
 * clock tells.
 *
 * @param gflops 10^9 floating-point operations per second, of independent multiply-adds in registers
 * @param copy 10^9 bytes per second, read and written together, of a copy of arrays larger than any cache
 */
public record DevicePeak(double gflops, double copy) {
    private static final int RUNS = 10;
    private static final int ITEMS = 1 << 20;
    private static final int ROUNDS = 1024;

    /** Sums of an item. */
    private static final int SUMS = 8;

    private static final int COPIED = 64 << 20;

    static DevicePeak measure(TornadoDevice device) {
        return measure(device, ITEMS, ROUNDS, COPIED);
    }

    static DevicePeak measure(TornadoDevice device, int items, int rounds, int copied) {
        FloatArray sums = new FloatArray(items);
        FloatArray from = new FloatArray(copied);
        FloatArray to = new FloatArray(copied);
        sums.set(0, 1);
        double gflops = best(
                device,
                new TaskGraph("peak")
                        .transferToDevice(DataTransferMode.FIRST_EXECUTION, sums)
                        .task("sums", DevicePeak::wMultiplyAdds, sums, items, rounds),
                sums,
                2.0 * SUMS * rounds * items);
        double copy = best(
                device,
                new TaskGraph("copies")
                        .transferToDevice(DataTransferMode.FIRST_EXECUTION, from)
                        .task("copy", DevicePeak::wCopyAll, from, to, copied),
                to,
                2.0 * Float.BYTES * copied);
        return new DevicePeak(gflops, copy);
    }

    private static double best(TornadoDevice device, TaskGraph graph, FloatArray result, double work) {
        graph.transferToHost(DataTransferMode.UNDER_DEMAND, result);
        double best = 0;
        try (TornadoExecutionPlan plan = new TornadoExecutionPlan(graph.snapshot())) {
            plan.withDevice(device).withProfiler(ProfilerMode.SILENT);
            for (int i = 0; i < RUNS; i++) {
                best = Math.max(best, work / plan.execute().getProfilerResult().getDeviceKernelTime());
            }
        } catch (TornadoExecutionPlanException e) {
            throw new UserException("the device's peak cannot be measured (" + e.getMessage() + ")", e);
        }
        return best;
    }

    /** x[i] = the sum of eight series of so many multiply-adds, which all start from it. */
    static void wMultiplyAdds(FloatArray x, int items, int rounds) {
        for (@Parallel int i = 0; i < items; i++) {
            float b = x.get(i);
            float a = 1f - 0.001f * b;
            float s0 = b;
            float s1 = b + 1f;
            float s2 = b + 2f;
            float s3 = b + 3f;
            float s4 = b + 4f;
            float s5 = b + 5f;
            float s6 = b + 6f;
            float s7 = b + 7f;
            for (int k = 0; k < rounds; k++) {
                s0 = s0 * a + b;
                s1 = s1 * a + b;
                s2 = s2 * a + b;
                s3 = s3 * a + b;
                s4 = s4 * a + b;
                s5 = s5 * a + b;
                s6 = s6 * a + b;
                s7 = s7 * a + b;
            }
            x.set(i, s0 + s1 + s2 + s3 + (s4 + s5 + s6 + s7));
        }
    }

    static void wCopyAll(FloatArray from, FloatArray to, int n) {
        for (@Parallel int i = 0; i < n; i++) {
            to.set(i, from.get(i));
        }
    }
}
