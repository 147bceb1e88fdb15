package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LinearTest {
    private final Arena arena = Arena.ofShared();

    @AfterEach
    void free() {
        arena.close();
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1",
        "1, 37, 5",
        "2, 333, 7",
        "3, 16, 1029",
        "5, 130, 66",
        "8, 90, 3",
        "9, 77, 35",
        "70, 129, 47",
        "131, 20, 333"
    })
    void agreesWithDoubleLoops(int rows, int in, int out) {
        Random random = new Random();
        MemorySegment x = gaussians(rows * in, random);
        MemorySegment weight = gaussians(out * in, random);
        MemorySegment bias = gaussians(out, random);
        MemorySegment dout = gaussians(rows * out, random);
        MemorySegment dweightBefore = gaussians(out * in, random);
        MemorySegment[] first = null;
        for (int threads : new int[] {1, 2, 3, 5}) {
            MemorySegment y = gaussians(rows * out, random);
            MemorySegment plain = gaussians(rows * out, random);
            MemorySegment dx = gaussians(rows * in, random);
            MemorySegment dweight = arena.allocate(dweightBefore.byteSize(), 4).copyFrom(dweightBefore);
            MemorySegment dbias = arena.allocate(bias.byteSize(), 4).copyFrom(bias);
            try (Workers workers = new Workers(threads)) {
                Linear linear = new Linear(workers, new StoredWeights(workers));
                linear.forward(y.address(), x.address(), weight.address(), bias.address(), rows, in, out);
                linear.forward(plain.address(), x.address(), weight.address(), 0, rows, in, out);
                linear.backwardInput(dx.address(), dout.address(), weight.address(), rows, in, out);
                linear.backwardWeight(dweight.address(), dbias.address(), dout.address(), x.address(), rows, in, out);
            }
            MemorySegment[] results = {y, plain, dx, dweight, dbias};
            if (first != null) {
                for (int i = 0; i < results.length; i++) {
                    assertThat(results[i].mismatch(first[i])).isEqualTo(-1);
                }
                continue;
            }
            first = results;
            double tolerance = 2e-6;
            for (int r = 0; r < rows; r++) {
                for (int o = 0; o < out; o++) {
                    double sum = 0;
                    for (int i = 0; i < in; i++) {
                        sum += (double) get(x, r * in + i) * get(weight, o * in + i);
                    }
                    double size = tolerance * (in + 1);
                    assertThat((double) get(plain, r * out + o)).isCloseTo(sum, offset(size));
                    assertThat((double) get(y, r * out + o)).isCloseTo(sum + get(bias, o), offset(size));
                }
                for (int i = 0; i < in; i++) {
                    double sum = 0;
                    for (int o = 0; o < out; o++) {
                        sum += (double) get(dout, r * out + o) * get(weight, o * in + i);
                    }
                    assertThat((double) get(dx, r * in + i)).isCloseTo(sum, offset(tolerance * (out + 1)));
                }
            }
            for (int o = 0; o < out; o++) {
                double biasSum = get(bias, o);
                for (int r = 0; r < rows; r++) {
                    biasSum += get(dout, r * out + o);
                }
                assertThat((double) get(dbias, o)).isCloseTo(biasSum, offset(tolerance * (rows + 1)));
                for (int i = 0; i < in; i++) {
                    double sum = get(dweightBefore, o * in + i);
                    for (int r = 0; r < rows; r++) {
                        sum += (double) get(dout, r * out + o) * get(x, r * in + i);
                    }
                    assertThat((double) get(dweight, o * in + i)).isCloseTo(sum, offset(tolerance * (rows + 1)));
                }
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
