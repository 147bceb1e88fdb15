package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The form of matrix products for GPUs, on whatever device there is, against plain Java. */
class GpuProductsTest {
    @BeforeAll
    static void needsDevice() {
        Sdk.assumeDevice();
    }

    @ParameterizedTest
    @CsvSource({
        // One tile, and several that end within one.
        "7, 20, 33",
        "130, 65, 270",
        // So few rows that each is read for itself.
        "3, 130, 33",
        // Depth in several parts: of y, of dx, of dweight.
        "5, 700, 33",
        "20, 33, 600",
        "600, 40, 33"
    })
    void agreesWithLoops(int rows, int in, int out) {
        float[] expected = run(new LoopsEngine(), rows, in, out);
        float[] actual = run(Sdk.engineForGpus(), rows, in, out);
        for (int i = 0; i < expected.length; i++) {
            float limit = 2e-5f * (10 + Math.abs(expected[i]));
            assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], offset(limit));
        }
    }

    /** On tensor cores sums are of other parts, but of the same numbers. */
    @ParameterizedTest
    @CsvSource({"128, 128, 128", "130, 66, 270", "5, 700, 33", "20, 34, 600", "600, 40, 33"})
    void onTensorCoresAgreesWithoutThem(int rows, int in, int out) {
        DeviceInfo device = Devices.find(null);
        assumeTrue(TensorCores.areUsed(device), "needs a CUDA device with tensor cores");
        float[] expected = run(new LoopsEngine(), rows, in, out);
        float[] actual = run(new TornadoEngine(device, Precision.BF16, device.memory(), true, 16), rows, in, out);
        for (int i = 0; i < expected.length; i++) {
            // Operands have eight bits, and errors of random signs.
            float limit = 0x1p-6f * (5 + Math.abs(expected[i]));
            assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], offset(limit));
        }
    }

    /** All three orientations: output, input gradient, and the weight's gradient added to what was there. */
    private static float[] run(Engine engine, int rows, int in, int out) {
        try (engine) {
            Random random = new Random(rows);
            Tensor x = tensor(engine, rows * in, random);
            Tensor weight = tensor(engine, out * in, random);
            Tensor bias = tensor(engine, out, random);
            Tensor y = tensor(engine, rows * out, random);
            Tensor dx = tensor(engine, rows * in, random);
            Tensor dweight = tensor(engine, out * in, random);
            Tensor one = tensor(engine, 1, random);
            one.buffer().segment().set(ValueLayout.JAVA_FLOAT, 0, 1);
            // As activations lie in memory.
            Tensor kept = new Tensor(engine.allocateActivations("kept", (long) rows * in), 0, 0);
            Program program = ops -> {
                ops.linear(kept, x, one, null, rows * in, 1, 1);
                ops.linear(y, kept, weight, bias, rows, in, out);
                ops.linearBackwardInput(dx, y, weight, rows, in, out);
                ops.linearBackwardWeight(dweight, null, y, kept, rows, in, out);
            };
            engine.run(program, new Inputs(rows), 0);
            float[] all = new float[rows * out + rows * in + out * in];
            int at = 0;
            for (Tensor t : new Tensor[] {y, dx, dweight}) {
                int length = Math.toIntExact(t.buffer().length());
                System.arraycopy(engine.host(t, length).toArray(ValueLayout.JAVA_FLOAT), 0, all, at, length);
                at += length;
            }
            return all;
        }
    }

    private static Tensor tensor(Engine engine, int length, Random random) {
        Tensor tensor = new Tensor(engine.allocate("x", length), 0, 0);
        for (int i = 0; i < length; i++) {
            tensor.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat() - 0.5f);
        }
        return tensor;
    }
}
