package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Against double loops, with padding around every matrix that must stay as it was. */
class GemmTest {
    private static final float UNTOUCHED = 12345;
    private static final int[] THREADS = {1, 2, 3, 5};

    private final Arena arena = Arena.ofShared();

    @AfterEach
    void free() {
        arena.close();
    }

    enum Form {
        AB_T,
        AB,
        A_T_B
    }

    static Stream<int[]> shapes() {
        Random random = new Random();
        Stream<int[]> odd = Stream.generate(
                        () -> new int[] {1 + random.nextInt(90), 1 + random.nextInt(150), 1 + random.nextInt(600)})
                .limit(25);
        Stream<int[]> chosen = Stream.of(
                new int[] {1, 1, 1},
                new int[] {1, 77, 1},
                new int[] {1, 300, 259},
                new int[] {2, 45, 513},
                new int[] {8, 33, 100},
                new int[] {9, 1, 17},
                new int[] {129, 1030, 255},
                new int[] {64, 64, 256},
                new int[] {333, 40, 1},
                // Several steps of rows and blocks of k; more blocks than are packed at a time.
                new int[] {300, 50, 1100},
                new int[] {20, 400, 4500});
        return Stream.concat(chosen, odd);
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void agreesWithDoubleLoopsAndKeepsItsBitsForAnyNumberOfThreads(int[] shape) {
        for (Form form : Form.values()) {
            for (boolean accumulate : new boolean[] {false, true}) {
                check(form, shape[0], shape[1], shape[2], accumulate);
            }
        }
    }

    private void check(Form form, int m, int n, int k, boolean accumulate) {
        Random random = new Random();
        int aRows = form == Form.A_T_B ? k : m;
        int aColumns = form == Form.A_T_B ? m : k;
        int bRows = form == Form.AB_T ? n : k;
        int bColumns = form == Form.AB_T ? k : n;
        int lda = aColumns + random.nextInt(4);
        int ldb = bColumns + random.nextInt(4);
        int ldc = n + random.nextInt(4);
        MemorySegment a = gaussians(aRows * lda, random);
        MemorySegment b = gaussians(bRows * ldb, random);
        MemorySegment bias = form == Form.AB_T && !accumulate && random.nextBoolean() ? gaussians(n, random) : null;
        MemorySegment before = gaussians(m * ldc, random);
        for (int i = 0; i < m; i++) {
            for (int j = n; j < ldc; j++) {
                before.setAtIndex(ValueLayout.JAVA_FLOAT, (long) i * ldc + j, UNTOUCHED);
            }
        }
        MemorySegment first = null;
        for (int threads : THREADS) {
            MemorySegment c = arena.allocate(before.byteSize() + 4L * 7, 64).asSlice(4L * 7);
            c.copyFrom(before);
            try (Workers workers = new Workers(threads)) {
                Gemm gemm = new Gemm(workers, new StoredWeights(workers));
                long biasAt = bias == null ? 0 : bias.address();
                long at = c.address();
                switch (form) {
                    case AB_T -> gemm.abT(at, ldc, a.address(), lda, b.address(), ldb, biasAt, m, n, k, accumulate);
                    case AB -> gemm.ab(at, ldc, a.address(), lda, b.address(), ldb, m, n, k, accumulate);
                    case A_T_B -> gemm.aTb(at, ldc, a.address(), lda, b.address(), ldb, m, n, k, accumulate);
                }
            }
            if (first != null) {
                assertThat(c.mismatch(first))
                        .as("bits with %d threads", threads)
                        .isEqualTo(-1);
                continue;
            }
            first = c;
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < ldc; j++) {
                    float actual = get(c, i * ldc + j);
                    if (j >= n) {
                        assertThat(actual).isEqualTo(UNTOUCHED);
                        continue;
                    }
                    double expected = accumulate ? get(before, i * ldc + j) : 0;
                    expected += bias == null ? 0 : get(bias, j);
                    double size = Math.abs(expected);
                    for (int l = 0; l < k; l++) {
                        double product = (double) get(a, form == Form.A_T_B ? l * lda + i : i * lda + l)
                                * get(b, form == Form.AB_T ? j * ldb + l : l * ldb + j);
                        expected += product;
                        size += Math.abs(product);
                    }
                    assertThat((double) actual)
                            .as("%s m=%d n=%d k=%d [%d,%d]", form, m, n, k, i, j)
                            .isCloseTo(expected, org.assertj.core.data.Offset.offset(1e-6 * size));
                }
            }
        }
    }

    @Test
    void allocatesNothingOnceWarm() {
        try (Workers workers = new Workers(2)) {
            Gemm gemm = new Gemm(workers, new StoredWeights(workers));
            int n = 100;
            MemorySegment a = gaussians(n * n, new Random());
            MemorySegment c = gaussians(n * n, new Random());
            var threads = (com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean();
            Runnable multiply = () -> {
                for (int i = 0; i < 2000; i++) {
                    gemm.abT(c.address(), n, a.address(), n, a.address(), n, 0, n, n, n, false);
                }
            };
            // A worker that parks may allocate a little now and then; the smallest object in every call is 16 bytes.
            long limit = 16 * 2000 - 1;
            long least = Long.MAX_VALUE;
            for (int attempt = 0; attempt < 200 && least > limit; attempt++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                multiply.run();
                least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            }
            assertThat(least).as("bytes in 2000 calls").isLessThanOrEqualTo(limit);
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
