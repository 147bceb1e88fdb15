package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DynamicBlocksTest {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    private final CpuEngine engine = new CpuEngine(3);
    private final Arena arena = Arena.ofShared();
    private final Random random = new Random(3);

    @AfterEach
    void close() {
        engine.close();
        arena.close();
    }

    private Buffer numbers(long length, Format format) {
        return engine.allocateWeights("numbers", List.of(new Format.Span(length, format)), new long[0]);
    }

    private MemorySegment of(float... values) {
        MemorySegment segment = arena.allocate(4L * values.length, 64);
        MemorySegment.copy(values, 0, segment, FLOAT, 0, values.length);
        return segment;
    }

    private static float[] all(Buffer buffer) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment floats = scratch.allocate(4 * buffer.length(), 64);
            buffer.get(0, floats, buffer.length());
            return floats.toArray(FLOAT);
        }
    }

    /** Of so many magnitudes: eight powers of ten in one block. */
    private float[] moments(int count, boolean signed) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            float value = (float) Math.pow(10, -7 * random.nextDouble());
            values[i] = signed && random.nextBoolean() ? -value : value;
        }
        return values;
    }

    @Test
    void smallAndLargeNumbersAreKeptToAFewPercent() {
        Buffer buffer = numbers(Format.DYNAMIC_BLOCK, Format.DYNAMIC8_UNSIGNED);
        float[] values = new float[Format.DYNAMIC_BLOCK];
        values[0] = 5;
        values[1] = 0.5f;
        values[2] = 5e-3f;
        values[3] = 5e-6f;
        values[4] = 1e-9f;
        buffer.put(0, of(values), values.length);
        assertThat(buffer.at(0)).isEqualTo(5f);
        assertThat(buffer.at(1)).isEqualTo(0.5f, within(0.03f));
        assertThat(buffer.at(2)).isEqualTo(5e-3f, within(3e-4f));
        assertThat(buffer.at(3)).isEqualTo(5e-6f, within(2e-6f));
        assertThat(buffer.at(4)).isZero();
        assertThat(buffer.at(5)).isZero();
    }

    /** The smallest entries of the tables that bitsandbytes makes by create_dynamic_map, times the scale. */
    @Test
    void theTablesAreThoseOfThePaper() {
        Buffer signed = numbers(Format.DYNAMIC_BLOCK, Format.DYNAMIC8);
        signed.put(0, of(withFirst(-2, 5.4e-7f * 2, -5.4e-7f * 2, 0.997f * 2, 0.99f * 2)), Format.DYNAMIC_BLOCK);
        assertThat(signed.at(0)).isEqualTo(-2f);
        assertThat(signed.at(1)).isEqualTo(2 * 5.5e-7f, within(1e-12f));
        assertThat(signed.at(2)).isEqualTo(-2 * 5.5e-7f, within(1e-12f));
        assertThat(signed.at(3)).isEqualTo(2 * 0.99296874f, within(1e-6f)); // the scale is -2: there is no -1
        Buffer unsigned = numbers(Format.DYNAMIC_BLOCK, Format.DYNAMIC8_UNSIGNED);
        unsigned.put(0, of(withFirst(1, 3e-7f, 8e-7f, 0.997f)), Format.DYNAMIC_BLOCK);
        assertThat(unsigned.at(1)).isEqualTo(3.25e-7f, within(1e-12f));
        assertThat(unsigned.at(2)).isEqualTo(7.75e-7f, within(1e-12f));
        assertThat(unsigned.at(3)).isEqualTo(0.99648434f, within(1e-6f));
    }

    private static float[] withFirst(float... first) {
        return Arrays.copyOf(first, Format.DYNAMIC_BLOCK);
    }

    @ParameterizedTest
    @EnumSource(names = {"DYNAMIC8", "DYNAMIC8_UNSIGNED"})
    void roundingIsToTheNearestAndKeepsWhatItMade(Format format) {
        int count = 20 * Format.DYNAMIC_BLOCK + 40;
        Buffer buffer = numbers(count, format);
        float[] given = moments(count, format == Format.DYNAMIC8);
        buffer.put(0, of(given), count);
        float[] kept = all(buffer);
        for (int block = 0; block < count; block += Format.DYNAMIC_BLOCK) {
            int end = Math.min(count, block + Format.DYNAMIC_BLOCK);
            float[] used = Arrays.copyOfRange(kept, block, end);
            for (int i = block; i < end; i++) {
                // No number that another one of the block became is nearer.
                float error = Math.abs(kept[i] - given[i]);
                float least = Float.POSITIVE_INFINITY;
                for (float other : used) {
                    least = Math.min(least, Math.abs(other - given[i]));
                }
                assertThat(least).isGreaterThanOrEqualTo(error * 0.99999f);
            }
        }
        buffer.put(0, of(kept), count);
        assertThat(all(buffer)).containsExactly(kept);
    }

    /** What is put in parts at any places is there, and what lies beside it hardly changes. */
    @Test
    void blocksAreChangedInParts() {
        int count = 3 * Format.DYNAMIC_BLOCK;
        Buffer buffer = numbers(count, Format.DYNAMIC8);
        for (int i = 0; i < 100; i++) {
            float[] before = all(buffer);
            int first = random.nextInt(count);
            int length = 1 + random.nextInt(count - first);
            float[] given = moments(length, true);
            given[0] = 1;
            buffer.put(first, of(given), length);
            float[] after = all(buffer);
            for (int k = 0; k < count; k++) {
                float expected = k < first || k >= first + length ? before[k] : given[k - first];
                if (Math.abs(after[k] - expected) > spacing(expected)) {
                    assertThat(after[k]).as("number " + k).isEqualTo(expected);
                }
            }
        }
    }

    /** From one entry of the table to the next, for blocks whose largest magnitude is about 1. */
    private static double spacing(float x) {
        int decade = Math.clamp((int) Math.ceil(Math.log10(Math.abs(x))), -6, 0);
        return 2.5 * 0.9 * Math.pow(10, decade) / (1 << (6 + decade)) + 1e-6;
    }

    /** AdamW with moments in eight bits is AdamW on what they are widened to. */
    @Test
    void optimizersWorkOnWhatTheNumbersAre() {
        int count = (1 << 20) + 5000;
        Buffer m = numbers(count, Format.DYNAMIC8);
        Buffer v = numbers(count, Format.DYNAMIC8_UNSIGNED);
        m.put(0, of(moments(count, true)), count);
        v.put(0, of(moments(count, false)), count);
        float[] gradient = moments(count, true);
        Buffer[] floats = new Buffer[6];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = engine.allocate("floats", count);
        }
        floats[0].put(0, of(gradient), count);
        floats[1].put(0, of(gradient), count);
        floats[4].put(0, of(all(m)), count);
        floats[5].put(0, of(all(v)), count);
        Inputs inputs = new Inputs(1);
        inputs.learningRate = 0.01f;
        AdamW settings = new AdamW(0.9f, 0.95f, 1e-8f, 0.1f);
        engine.run(
                ops -> {
                    ops.adamw(tensor(floats[2]), tensor(floats[0]), tensor(m), tensor(v), count, settings);
                    ops.adamw(
                            tensor(floats[3]),
                            tensor(floats[1]),
                            tensor(floats[4]),
                            tensor(floats[5]),
                            count,
                            settings);
                },
                inputs,
                0);
        assertThat(Arrays.equals(all(floats[2]), all(floats[3]))).isTrue();
        assertThat(Arrays.equals(all(floats[0]), new float[count])).isTrue();
        Buffer expected = numbers(count, Format.DYNAMIC8);
        expected.put(0, of(all(floats[4])), count);
        float[] actual = all(m);
        float[] wanted = all(expected);
        for (int i = 0; i < count; i++) {
            if (Math.abs(actual[i] - wanted[i]) > Math.abs(wanted[i]) * 0.06f + 1e-7f) {
                assertThat(actual[i]).as("moment " + i).isEqualTo(wanted[i]);
            }
        }
    }

    private static Tensor tensor(Buffer buffer) {
        return new Tensor(buffer, 0, 0);
    }
}
