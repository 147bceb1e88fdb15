package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Philox;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class MaskTest {
    @Test
    void bitsAreThoseOfPhilox() {
        SplittableRandom random = new SplittableRandom();
        for (int trial = 0; trial < 300; trial++) {
            Inputs inputs = new Inputs(1);
            inputs.seed = random.nextLong();
            inputs.step = random.nextInt();
            inputs.microBatch = random.nextInt(1 << 24);
            int layer = random.nextInt(100);
            Dropout dropout = new Dropout(random.nextFloat(), random.nextInt(8));
            // Small, large, and across the place where the block's number fills its first word.
            long[] starts = {random.nextInt(1000), random.nextLong(1L << 40), (1L << 34) - random.nextInt(70)};
            Mask mask = new Mask();
            mask.begin(inputs, layer, dropout);
            for (long start : starts) {
                long kept = mask.kept(start);
                for (int i = 0; i < Mask.ELEMENTS; i++) {
                    assertThat(kept >>> i & 1)
                            .as("element %d + %d, %s, layer %d, seed %d", start, i, dropout, layer, inputs.seed)
                            .isEqualTo(kept(inputs, layer, dropout, start + i) ? 1 : 0);
                }
            }
        }
    }

    private static boolean kept(Inputs inputs, int layer, Dropout dropout, long element) {
        int[] words = new int[4];
        Philox.maskBlock(inputs, layer, dropout.site(), element / 4, words);
        return Integer.compareUnsigned(words[(int) (element % 4)], dropout.threshold()) >= 0;
    }
}
