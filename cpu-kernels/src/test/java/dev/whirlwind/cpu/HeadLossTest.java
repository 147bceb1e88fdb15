package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import dev.whirlwind.model.Ops;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HeadLossTest {
    private final Arena arena = Arena.ofShared();

    @AfterEach
    void free() {
        arena.close();
    }

    @ParameterizedTest
    @CsvSource({"1, 5, 2", "7, 20, 333", "33, 65, 1030", "19, 3, 17"})
    void agreesWithDoubleLoops(int rows, int width, int vocabulary) {
        check(rows, width, vocabulary, new Random());
    }

    /** More logits than are held at a time, so that chunks follow one another. */
    @Test
    void chunksOfRowsAddUp() {
        int rows = 90;
        int vocabulary = 300_001;
        assertThat(4L * rows * vocabulary).isGreaterThan(Ops.LOGITS_BYTES);
        check(rows, 2, vocabulary, new Random());
    }

    @Test
    void largeLogitsNeitherOverflowNorLoseTheTarget() {
        MemorySegment x = arena.allocate(4, 4);
        x.set(ValueLayout.JAVA_FLOAT, 0, 1);
        MemorySegment weight = arena.allocate(12, 4);
        weight.setAtIndex(ValueLayout.JAVA_FLOAT, 0, 50_000);
        weight.setAtIndex(ValueLayout.JAVA_FLOAT, 1, -50_000);
        weight.setAtIndex(ValueLayout.JAVA_FLOAT, 2, 49_999);
        MemorySegment nll = arena.allocate(4, 4);
        try (Workers workers = new Workers(2)) {
            HeadLoss loss = new HeadLoss(workers, new Gemm(workers, new StoredWeights(workers)), arena);
            for (int target = 0; target < 3; target++) {
                loss.forward(nll.address(), x.address(), weight.address(), new int[] {target}, 1, 1, 3);
                double[] expected = {
                    Math.log1p(Math.exp(-1)), 100_000 + Math.log1p(Math.exp(-1)), 1 + Math.log1p(Math.exp(-1))
                };
                assertThat(get(nll, 0)).isCloseTo((float) expected[target], offset(1e-6f * (float) expected[target]));
            }
        }
    }

    private void check(int rows, int width, int vocabulary, Random random) {
        float lossScale = 1f / 37;
        int[] targets = random.ints(rows, 0, vocabulary).toArray();
        targets[random.nextInt(rows)] = -1;
        if (rows > 80) {
            Arrays.fill(targets, rows / 3, rows, -1); // A chunk without any target, too.
        }
        MemorySegment x = gaussians(rows * width, random);
        MemorySegment weight = gaussians(vocabulary * width, random);
        MemorySegment dweightBefore = gaussians(vocabulary * width, random);
        MemorySegment[] first = null;
        for (int threads : new int[] {1, 2, 3, 5}) {
            MemorySegment nll = gaussians(rows, random);
            MemorySegment nllToo = gaussians(rows, random);
            MemorySegment dx = gaussians(rows * width, random);
            MemorySegment dweight = arena.allocate(dweightBefore.byteSize(), 4).copyFrom(dweightBefore);
            try (Workers workers = new Workers(threads)) {
                HeadLoss loss = new HeadLoss(workers, new Gemm(workers, new StoredWeights(workers)), arena);
                loss.forward(nll.address(), x.address(), weight.address(), targets, rows, width, vocabulary);
                loss.backward(
                        nllToo.address(),
                        dx.address(),
                        dweight.address(),
                        x.address(),
                        weight.address(),
                        targets,
                        lossScale,
                        rows,
                        width,
                        vocabulary);
            }
            MemorySegment[] results = {nll, dx, dweight};
            if (first == null) {
                first = results;
                assertThat(nll.mismatch(nllToo)).isEqualTo(-1);
                compare(rows, width, vocabulary, x, weight, targets, lossScale, nll, dx, dweight, dweightBefore);
            }
            for (int i = 0; i < results.length; i++) {
                assertThat(results[i].mismatch(first[i])).isEqualTo(-1);
            }
        }
    }

    private static void compare(
            int rows,
            int width,
            int vocabulary,
            MemorySegment x,
            MemorySegment weight,
            int[] targets,
            float lossScale,
            MemorySegment nll,
            MemorySegment dx,
            MemorySegment dweight,
            MemorySegment dweightBefore) {
        double[] expectedDweight = new double[vocabulary * width];
        for (int i = 0; i < expectedDweight.length; i++) {
            expectedDweight[i] = get(dweightBefore, i);
        }
        for (int r = 0; r < rows; r++) {
            double[] expectedDx = new double[width];
            double expectedNll = 0;
            if (targets[r] >= 0) {
                double[] logits = new double[vocabulary];
                double sum = 0;
                for (int v = 0; v < vocabulary; v++) {
                    for (int i = 0; i < width; i++) {
                        logits[v] += (double) get(x, r * width + i) * get(weight, v * width + i);
                    }
                    sum += Math.exp(logits[v]);
                }
                expectedNll = Math.log(sum) - logits[targets[r]];
                for (int v = 0; v < vocabulary; v++) {
                    double d = (Math.exp(logits[v]) / sum - (v == targets[r] ? 1 : 0)) * lossScale;
                    for (int i = 0; i < width; i++) {
                        expectedDx[i] += d * get(weight, v * width + i);
                        expectedDweight[v * width + i] += d * get(x, r * width + i);
                    }
                }
            }
            assertThat((double) get(nll, r)).isCloseTo(expectedNll, offset(4e-6 * (1 + Math.abs(expectedNll))));
            for (int i = 0; i < width; i++) {
                assertThat((double) get(dx, r * width + i)).isCloseTo(expectedDx[i], offset(1e-6));
            }
        }
        for (int i = 0; i < expectedDweight.length; i++) {
            if (Math.abs(get(dweight, i) - expectedDweight[i]) > 2e-6) {
                assertThat((double) get(dweight, i)).isEqualTo(expectedDweight[i]);
            }
        }
    }

    private MemorySegment gaussians(int count, Random random) {
        MemorySegment segment = arena.allocate(4L * count, 4);
        for (int i = 0; i < count; i++) {
            segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        return segment;
    }

    private static float get(MemorySegment segment, int index) {
        return segment.getAtIndex(ValueLayout.JAVA_FLOAT, index);
    }
}
