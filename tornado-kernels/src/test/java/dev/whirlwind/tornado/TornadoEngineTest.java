package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.UserException;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** What only the engine with a device can get wrong: where data are, and what it says when something fails. */
class TornadoEngineTest {
    @BeforeAll
    static void needsDevice() {
        Sdk.assumeDevice();
    }

    private static Tensor tensor(Engine engine, String name, int length, float value) {
        Buffer buffer = engine.allocate(name, length);
        for (int i = 0; i < length; i++) {
            set(buffer, i, value);
        }
        return new Tensor(buffer, 0, 0);
    }

    private static void set(Buffer buffer, int i, float value) {
        buffer.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
    }

    private static float get(Engine engine, Tensor tensor, int i) {
        engine.download(tensor.buffer(), i, 1);
        return tensor.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, i);
    }

    @Test
    void buffersAllocatedLaterJoinThoseOnTheDevice() {
        try (Engine engine = Sdk.engine()) {
            Inputs inputs = new Inputs(1);
            Tensor a = tensor(engine, "a", 100, 1);
            Tensor b = tensor(engine, "b", 100, 2);
            Program first = ops -> ops.add(a, a, b, 1, 100);
            engine.run(first, inputs, 0);
            Tensor c = tensor(engine, "c", 70, 10);
            Program second = ops -> ops.add(b, c, a, 1, 70);
            engine.run(second, inputs, 0);
            engine.run(first, inputs, 0);
            Tensor d = tensor(engine, "d", 70, 100);
            Program third = ops -> ops.add(d, d, a, 1, 70);
            engine.run(third, inputs, 0);
            engine.run(third, inputs, 0);
            assertThat(get(engine, a, 69)).isEqualTo(16);
            assertThat(get(engine, a, 70)).isEqualTo(5);
            assertThat(get(engine, b, 69)).isEqualTo(13);
            assertThat(get(engine, d, 3)).isEqualTo(132);
        }
    }

    @Test
    void kernelsAreTimedAndTrafficIsCounted() {
        try (TornadoEngine engine = (TornadoEngine) Sdk.engine()) {
            Inputs inputs = new Inputs(1);
            Tensor a = tensor(engine, "a", 3000, 1);
            Tensor b = tensor(engine, "b", 3000, 2);
            Program program = ops -> {
                ops.add(a, a, b, 1, 3000);
                ops.add(a, a, b, 1, 3000);
                ops.zero(b, 3000);
            };
            engine.run(program, inputs, 0);
            Traffic before = engine.traffic();
            KernelTimes times = engine.profile();
            for (int i = 0; i < 3; i++) {
                engine.run(program, inputs, 0);
            }
            get(engine, a, 0);
            assertThat(times.byName()).containsOnlyKeys("add", "zero");
            assertThat(times.byName().get("add").calls()).isEqualTo(6);
            assertThat(times.byName().get("zero").calls()).isEqualTo(3);
            assertThat(times.byName().get("add").seconds()).isBetween(1e-9, 1.0);
            Traffic after = engine.traffic();
            assertThat(after.launches() - before.launches()).isEqualTo(9);
            assertThat(after.synchronisations() - before.synchronisations()).isEqualTo(4);
            // The cursor and the floats.
            assertThat(after.uploads() - before.uploads()).isEqualTo(6);
            assertThat(engine.profile().byName()).isEmpty();
        }
    }

    @Test
    void thePeakIsMeasuredByKernelsThatComputeRight() {
        FloatArray x = new FloatArray(3);
        x.set(1, 2);
        DevicePeak.wMultiplyAdds(x, 3, 50);
        double expected = 0;
        for (int sum = 0; sum < 8; sum++) {
            double s = 2 + sum;
            for (int k = 0; k < 50; k++) {
                s = s * (1 - 0.002) + 2;
            }
            expected += s;
        }
        assertThat((double) x.get(1)).isCloseTo(expected, within(1e-3));
        assertThat(x.get(0)).isEqualTo(28);
        DevicePeak peak = DevicePeak.measure(Devices.device(Devices.find(null)), 1 << 14, 64, 1 << 16);
        assertThat(peak.gflops()).isBetween(0.01, 1e6);
        assertThat(peak.copy()).isBetween(0.01, 1e5);
    }

    @Test
    void uploadsTouchOnlyTheirRange() {
        try (Engine engine = Sdk.engine()) {
            Inputs inputs = new Inputs(1);
            int n = (1 << 20) + 77;
            Tensor a = tensor(engine, "a", n, 1);
            Program twice = ops -> ops.add(a, a, a.skip(0), 1, n);
            engine.run(twice, inputs, 0);
            for (int i = 0; i < n; i++) {
                set(a.buffer(), i, 50);
            }
            engine.upload(a.buffer(), 1, n - 2);
            engine.run(twice, inputs, 0);
            assertThat(get(engine, a, 0)).isEqualTo(4);
            assertThat(get(engine, a, 1)).isEqualTo(100);
            assertThat(get(engine, a, n - 2)).isEqualTo(100);
            assertThat(get(engine, a, n - 1)).isEqualTo(4);
        }
    }

    @Test
    void sayWhenTheDeviceIsTooSmall() {
        DeviceInfo info = Devices.find(null);
        try (TornadoEngine engine = new TornadoEngine(info, Precision.FP32, 1 << 20, false, 1)) {
            engine.allocate("weights", 200_000);
            assertThatThrownBy(() -> engine.allocate("gradients", 200_000))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining(info.name())
                    .hasMessageContaining("gradients")
                    .hasMessageContaining("GiB");
        }
    }

    @Test
    void unknownDevicesAreNamed() {
        assertThatThrownBy(() -> Devices.find("7:7"))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("no device 7:7")
                .hasMessageContaining("0:0");
    }

    /** Not translatable: off the device, fma falls back to BigDecimal. */
    static void wBroken(IntArray c, int at, FloatArray x, int n) {
        int x0 = c.get(at);
        for (@Parallel int i = 0; i < n; i++) {
            x.set(x0 + i, Math.fma(x.get(x0 + i), 2f, 1f));
        }
    }

    @Test
    void kernelsThatDoNotCompileAreNamed() {
        try (TornadoEngine engine = new TornadoEngine(Devices.find(null))) {
            Memory memory = (Memory) engine.allocate("x", 100);
            Stage stage = new Stage();
            stage.call("broken", TornadoEngineTest::wBroken, stage.at(new Tensor(memory, 0, 0)), memory.array(), 100);
            assertThatThrownBy(() -> engine.run(stage))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("kernel broken");
        }
    }

    static void wTwice(IntArray c, int at, FloatArray x, int n) {
        int x0 = c.get(at);
        for (@Parallel int i = 0; i < n; i++) {
            x.set(x0 + i, 2f * x.get(x0 + i));
        }
    }

    /** TornadoVM only prints it, and goes on with results that nothing computed. */
    @Test
    void kernelsThatTheDriverRefusesAreNamed() {
        int n = 1 << 20;
        List<String> properties = new ArrayList<>();
        try (TornadoEngine engine = new TornadoEngine(Devices.find(null))) {
            Memory memory = (Memory) engine.allocate("x", n);
            Stage stage = new Stage();
            int at = stage.at(new Tensor(memory, 0, 0));
            stage.call("fine", TornadoEngineTest::wTwice, at, memory.array(), n);
            stage.call("odd", TornadoEngineTest::wTwice, at, memory.array(), n);
            // More than a group may have, whatever the names of the graph and the task.
            for (int graph = 0; graph < 20; graph++) {
                for (int task = 0; task < 2; task++) {
                    properties.add("stage" + graph + ".odd_" + task + ".local.workgroup.size");
                }
            }
            properties.forEach(name -> System.setProperty(name, String.valueOf(n)));
            assertThatThrownBy(() -> engine.run(stage))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("in kernel odd on ")
                    .hasMessageContaining("clEnqueueNDRangeKernel returned -54 (CL_INVALID_WORK_GROUP_SIZE)");
        } finally {
            properties.forEach(System::clearProperty);
        }
    }
}
