package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.StochasticRounding;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.safetensors.Conversion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Weights with fewer bits compute what floats of the same values do, to the bit. */
class StoredWeightsTest {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    private final CpuEngine engine = new CpuEngine(2);
    private final Arena arena = Arena.ofShared();
    private final Random random = new Random(7);

    @AfterEach
    void close() {
        engine.close();
        arena.close();
    }

    private MemorySegment gaussian(long count) {
        MemorySegment floats = arena.allocate(4 * count, 64);
        for (long i = 0; i < count; i++) {
            floats.setAtIndex(FLOAT, i, (float) random.nextGaussian());
        }
        return floats;
    }

    private Tensor floats(MemorySegment values) {
        long count = values.byteSize() / 4;
        Buffer buffer = engine.allocate("floats", count);
        buffer.put(0, values, count);
        return new Tensor(buffer, 0, 0);
    }

    /** The same weights in a format, with some before them; and as floats. */
    private record Both(Tensor stored, Tensor floats) {}

    private Both both(Format format, long count) {
        engine.allocateWeights("others", List.of(new Format.Span(Format.BLOCK, format)), new long[0]);
        long before = 3 * Format.BLOCK;
        Buffer stored = engine.allocateWeights(
                "weights",
                List.of(
                        new Format.Span(before, Format.FP32),
                        new Format.Span(before + count, format),
                        new Format.Span(before, Format.FP32)),
                new long[0]);
        stored.put(before, gaussian(before + count), before + count);
        MemorySegment widened = arena.allocate(4 * count, 64);
        stored.get(2 * before, widened, count);
        return new Both(new Tensor(stored, 2 * before, 0), floats(widened));
    }

    private void run(Program program) {
        Inputs inputs = new Inputs(300);
        for (int i = 0; i < inputs.tokens.length; i++) {
            inputs.tokens[i] = i * 7 % 50;
            inputs.targets[i] = i * 5 % 50;
        }
        inputs.seed = 11;
        inputs.step = 3;
        inputs.learningRate = 1e-3f;
        engine.run(program, inputs, 0);
    }

    private static void assertSame(Tensor actual, Tensor expected, long count) {
        assertThat(actual.buffer()
                        .segment()
                        .asSlice(4 * actual.offset(), 4 * count)
                        .mismatch(expected.buffer().segment().asSlice(4 * expected.offset(), 4 * count)))
                .isEqualTo(-1);
    }

    @ParameterizedTest
    @CsvSource({"FP32,0", "BF16,0.002", "INT8,0.0065", "NF4,0.1", "DYNAMIC8,0.02"})
    void keepsWhatItsBitsCan(Format format, double error) {
        int count = 100 * Format.BLOCK;
        Buffer stored = engine.allocateWeights("weights", List.of(new Format.Span(count, format)), new long[0]);
        MemorySegment given = gaussian(count);
        stored.put(0, given, count);
        MemorySegment kept = arena.allocate(4L * count, 64);
        stored.get(0, kept, count);
        double squares = 0;
        for (int i = 0; i < count; i++) {
            assertThat(stored.at(i)).isEqualTo(kept.getAtIndex(FLOAT, i));
            double difference = kept.getAtIndex(FLOAT, i) - given.getAtIndex(FLOAT, i);
            squares += difference * difference;
        }
        assertThat(Math.sqrt(squares / count)).isBetween(error / 2, Math.max(error, 1e-30));
    }

    @ParameterizedTest
    @EnumSource
    void widensAnyRange(Format format) {
        int count = 300 * Format.BLOCK;
        Tensor stored = both(format, count).stored();
        MemorySegment some = arena.allocate(4L * count, 64);
        for (int i = 0; i < 200; i++) {
            int first = random.nextInt(count);
            int length = 1 + random.nextInt(count - first);
            stored.buffer().get(stored.offset() + first, some, length);
            int last = length - 1;
            int middle = length / 2;
            assertThat(some.getAtIndex(FLOAT, 0)).isEqualTo(stored.buffer().at(stored.offset() + first));
            assertThat(some.getAtIndex(FLOAT, middle)).isEqualTo(stored.buffer().at(stored.offset() + first + middle));
            assertThat(some.getAtIndex(FLOAT, last)).isEqualTo(stored.buffer().at(stored.offset() + first + last));
        }
    }

    /** NF4's codes and scales against the formula, without double quantisation's vectors. */
    @Test
    void nf4IsTheNearestQuantileTimesTheLargest() {
        int count = 2 * Format.BLOCK;
        Buffer stored = engine.allocateWeights("weights", List.of(new Format.Span(count, Format.NF4)), new long[0]);
        MemorySegment given = arena.allocate(4L * count, 64);
        for (int i = 0; i < Format.BLOCK; i++) {
            given.setAtIndex(FLOAT, i, (i - 32) / 16f);
            given.setAtIndex(FLOAT, Format.BLOCK + i, (i - 32) / 32f);
        }
        stored.put(0, given, count);
        assertThat(stored.at(0)).isEqualTo(-2f);
        assertThat(stored.at(32)).isEqualTo(0f);
        assertThat(stored.at(40)).isEqualTo(0.5f, within(0.01f)); // 0.25 is nearest to 0.2461
        assertThat(stored.at(44)).isEqualTo(2 * 0.33791524f, within(1e-6f)); // 0.375 to 0.3379, not 0.4407
        assertThat(stored.at(Format.BLOCK)).isEqualTo(-1f, within(0.005f)); // a share of 128 / 255
    }

    @ParameterizedTest
    @CsvSource({
        "BF16,1,64,50",
        "BF16,3,1030,33",
        "BF16,20,200,70",
        "BF16,130,1100,300",
        "INT8,2,1088,50",
        "INT8,40,1088,300",
        "NF4,1,1088,50",
        "NF4,5,64,7",
        "NF4,40,1088,300",
        "NF4,40,3136,65",
        "BF16,9,2050,40",
        "BF16,1,1280,37",
        "BF16,8,96,6"
    })
    void productsAreThoseOfFloats(Format format, int rows, int in, int out) {
        Both weight = both(format, (long) in * out);
        Tensor x = floats(gaussian((long) rows * in));
        Tensor dout = floats(gaussian((long) rows * out));
        Tensor bias = floats(gaussian(out));
        Tensor y = floats(gaussian((long) rows * out));
        Tensor expectedY = floats(gaussian((long) rows * out));
        Tensor dx = floats(gaussian((long) rows * in));
        Tensor expectedDx = floats(gaussian((long) rows * in));
        run(ops -> {
            ops.linear(y, x, weight.stored(), bias, rows, in, out);
            ops.linear(expectedY, x, weight.floats(), bias, rows, in, out);
            ops.linearBackwardInput(dx, dout, weight.stored(), rows, in, out);
            ops.linearBackwardInput(expectedDx, dout, weight.floats(), rows, in, out);
        });
        if (format == Format.BF16 && rows <= 8 && in % Bfloat16.STEP == 0) {
            // Added in another order.
            MemorySegment actual = y.buffer().segment();
            MemorySegment expected = expectedY.buffer().segment();
            for (long i = 0; i < (long) rows * out; i++) {
                float value = expected.getAtIndex(FLOAT, i);
                assertThat(actual.getAtIndex(FLOAT, i)).isEqualTo(value, within(3e-5f + Math.abs(value) * 1e-5f));
            }
        } else {
            assertSame(y, expectedY, (long) rows * out);
        }
        assertSame(dx, expectedDx, (long) rows * in);
    }

    @ParameterizedTest
    @EnumSource
    void otherOperationsAreThoseOfFloats(Format format) {
        int vocabulary = 50;
        int width = 64;
        int rows = 300;
        Both table = both(format, (long) vocabulary * width);
        Both places = both(format, (long) rows * width);
        Tensor x = floats(gaussian((long) rows * width));
        Tensor out = floats(gaussian((long) rows * width));
        Tensor expectedOut = floats(gaussian((long) rows * width));
        Tensor dx = floats(gaussian((long) rows * width));
        Tensor expectedDx = floats(gaussian((long) rows * width));
        Tensor dw = floats(arena.allocate(4L * vocabulary * width, 64));
        Tensor expectedDw = floats(arena.allocate(4L * vocabulary * width, 64));
        Tensor nll = floats(gaussian(rows));
        Tensor expectedNll = floats(gaussian(rows));
        Tensor scales = floats(gaussian(vocabulary));
        Tensor expectedScales = floats(gaussian(vocabulary));
        Tensor b = floats(gaussian(vocabulary * 4L));
        Tensor wa = floats(gaussian(vocabulary * 4L));
        Tensor baa = floats(gaussian(vocabulary * 4L));
        Tensor magnitudes = floats(gaussian(vocabulary));
        run(ops -> {
            ops.embed(out, table.stored(), places.stored(), 3, 100, width);
            ops.embed(expectedOut, table.floats(), places.floats(), 3, 100, width);
            ops.headLossBackward(nll, dx, dw, x, table.stored(), rows, width, vocabulary);
            ops.headLossBackward(expectedNll, expectedDx, expectedDw, x, table.floats(), rows, width, vocabulary);
            ops.rowScales(scales, magnitudes, table.stored(), b, wa, baa, vocabulary, width, 4, 0.1f);
            ops.rowScales(expectedScales, magnitudes, table.floats(), b, wa, baa, vocabulary, width, 4, 0.1f);
        });
        assertSame(out, expectedOut, (long) rows * width);
        assertSame(dx, expectedDx, (long) rows * width);
        assertSame(dw, expectedDw, (long) vocabulary * width);
        assertSame(nll, expectedNll, rows);
        assertSame(scales, expectedScales, vocabulary);
    }

    /** What optimizers write is what they write of floats, rounded by the bits that belong to each weight. */
    @Test
    void updatesAreThoseOfFloatsRoundedAtRandom() {
        int count = (1 << 20) + 12_345;
        Both weight = both(Format.BF16, count);
        MemorySegment g = gaussian(count);
        Tensor start = floats(gaussian(count));
        run(ops -> {
            ops.adamw(
                    weight.stored(),
                    floats(g),
                    floats(g),
                    floats(g.asSlice(0)),
                    count,
                    new AdamW(0.9f, 0.99f, 1e-8f, 0.1f));
            ops.adamw(
                    weight.floats(),
                    floats(g),
                    floats(g),
                    floats(g.asSlice(0)),
                    count,
                    new AdamW(0.9f, 0.99f, 1e-8f, 0.1f));
        });
        assertRounded(weight, count, StochasticRounding.UPDATE);
        run(ops -> {
            ops.lion(weight.stored(), floats(g), floats(g), count, new Lion(0.9f, 0.99f, 0.1f));
            ops.lion(weight.floats(), floats(g), floats(g), count, new Lion(0.9f, 0.99f, 0.1f));
        });
        assertRounded(weight, count, StochasticRounding.UPDATE);
        run(ops -> {
            ops.descend(weight.stored(), start, count, 2, 0.1f);
            ops.descend(weight.floats(), start, count, 2, 0.1f);
        });
        assertRounded(weight, count, StochasticRounding.UPDATE);
        run(ops -> {
            ops.combine(weight.stored(), weight.stored(), start, count, 0.99f, 0.01f);
            ops.combine(weight.floats(), weight.floats(), start, count, 0.99f, 0.01f);
        });
        assertRounded(weight, count, StochasticRounding.MOVE);
        Tensor mean = floats(g);
        Tensor expected = floats(g);
        run(ops -> {
            ops.combine(mean, mean, weight.stored(), count, 0.9f, 0.1f);
            ops.combine(expected, expected, weight.floats(), count, 0.9f, 0.1f);
            ops.pull(mean, start, weight.stored(), start, count, 0.3f);
            ops.pull(expected, start, weight.floats(), start, count, 0.3f);
        });
        assertSame(mean, expected, count);
    }

    /** Compares, and sets the floats to what is stored. */
    private void assertRounded(Both weight, int count, int site) {
        Inputs inputs = new Inputs(1);
        inputs.seed = 11;
        inputs.step = 3;
        int key = (int) StochasticRounding.key(inputs, site);
        MemorySegment floats = weight.floats().buffer().segment();
        Buffer stored = weight.stored().buffer();
        int up = 0;
        for (int i = 0; i < count; i++) {
            int bits = Float.floatToRawIntBits(floats.getAtIndex(FLOAT, i));
            long number = weight.stored().offset() + i;
            short rounded = StochasticRounding.round(bits, StochasticRounding.bits(key, number));
            float actual = stored.at(number);
            if (Float.floatToRawIntBits(actual) != rounded << 16) {
                assertThat(actual).as("weight " + i).isEqualTo(Float.intBitsToFloat(rounded << 16));
            }
            up += rounded == (short) (bits >>> 16) ? 0 : 1;
            floats.setAtIndex(FLOAT, i, actual);
        }
        assertThat((double) up / count).isBetween(0.05, 0.55);
    }

    @Test
    void roundingAtRandomIsRightOnTheMean() {
        float value = 1 + 0.3f / 128;
        double sum = 0;
        for (int i = 0; i < 100_000; i++) {
            int random = StochasticRounding.bits(12345, i);
            sum += Float.intBitsToFloat(StochasticRounding.round(Float.floatToRawIntBits(value), random) << 16);
        }
        assertThat(sum / 100_000).isEqualTo(value, within(0.02 / 128));
        assertThat(Conversion.toBFloat16(Float.floatToRawIntBits(value)) << 16).isEqualTo(Float.floatToRawIntBits(1f));
    }

    @Test
    void refusesWhatItCannotDo() {
        Both weight = both(Format.NF4, 6400);
        Tensor x = floats(gaussian(6400));
        assertThatThrownBy(() -> run(ops -> ops.add(x, x, weight.stored(), 1, 6400)))
                .hasMessageContaining("NF4");
        assertThatThrownBy(() -> weight.stored().buffer().put(weight.stored().offset() + 3, gaussian(64), 64))
                .hasMessageContaining("whole blocks");
        assertThatThrownBy(() -> weight.stored().buffer().segment()).hasMessageContaining("floats");
    }
}
