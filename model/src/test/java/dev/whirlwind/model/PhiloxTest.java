package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class PhiloxTest {
    private final long seed = new Random().nextLong();
    private final Random random = new Random(seed);

    /** The known answers that the authors publish with Random123 for philox4x32-10. */
    @Test
    void knownAnswers() {
        assertThat(block(0, 0, 0, 0, 0, 0)).containsExactly(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
        assertThat(block(-1, -1, -1, -1, -1, -1)).containsExactly(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
        assertThat(block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0))
                .containsExactly(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
    }

    @Test
    void maskBlocksFollowTheDocumentedCounter() {
        Inputs inputs = new Inputs(1);
        inputs.seed = random.nextLong();
        inputs.step = random.nextInt();
        inputs.microBatch = random.nextInt(1 << 24);
        int layer = random.nextInt(200);
        int site = random.nextInt(8);
        long index = random.nextLong(1L << 40);
        int[] words = new int[4];
        Philox.maskBlock(inputs, layer, site, index, words);
        int[] expected = block(
                (int) index,
                (int) (index >> 32) | inputs.microBatch << 8,
                inputs.step,
                8 * layer + site,
                (int) inputs.seed,
                (int) (inputs.seed >> 32));
        assertThat(words).as("seed %d", seed).containsExactly(expected);
    }

    /** Each of seed, step, micro-batch, layer, site and place alone changes the bits. */
    @Test
    void everyCoordinateCounts() {
        Inputs inputs = new Inputs(1);
        Set<List<Integer>> blocks = new HashSet<>();
        blocks.add(maskBlock(inputs, 0, 0, 0));
        blocks.add(maskBlock(inputs, 1, 0, 0));
        blocks.add(maskBlock(inputs, 0, 1, 0));
        blocks.add(maskBlock(inputs, 0, 0, 1));
        blocks.add(maskBlock(inputs, 0, 0, 1L << 32));
        inputs.microBatch = 1;
        blocks.add(maskBlock(inputs, 0, 0, 0));
        inputs.step = 1;
        blocks.add(maskBlock(inputs, 0, 0, 0));
        inputs.seed = 1;
        blocks.add(maskBlock(inputs, 0, 0, 0));
        inputs.seed = 1L << 32;
        blocks.add(maskBlock(inputs, 0, 0, 0));
        assertThat(blocks).hasSize(9);
    }

    /** The share of dropped elements is p, within five standard deviations. */
    @Test
    void masksDropTheirShare() {
        Inputs inputs = new Inputs(1);
        inputs.seed = seed;
        float p = 0.05f + 0.9f * random.nextFloat();
        int n = 40_001;
        double[] mask = Reference.mask(inputs, 3, new Dropout(p, Dropout.MLP_RESIDUAL), n);
        double dropped = 0;
        for (double kept : mask) {
            dropped += kept == 0 ? 1 : 0;
        }
        assertThat(Math.abs(dropped / n - p)).as("p %f, seed %d", p, seed).isLessThan(5 * Math.sqrt(p * (1 - p) / n));
    }

    private static int[] block(int c0, int c1, int c2, int c3, int k0, int k1) {
        int[] out = new int[4];
        Philox.block(c0, c1, c2, c3, k0, k1, out);
        return out;
    }

    private static List<Integer> maskBlock(Inputs inputs, int layer, int site, long index) {
        int[] words = new int[4];
        Philox.maskBlock(inputs, layer, site, index, words);
        return List.of(words[0], words[1], words[2], words[3]);
    }

    /** No two of a model's masks are the same. */
    @Test
    void eachSiteOfEachLayerDrawsItsOwn() {
        Inputs inputs = new Inputs(1);
        Set<List<Integer>> blocks = new HashSet<>();
        blocks.add(block(inputs, 0, Dropout.EMBEDDING));
        blocks.add(block(inputs, 0, Philox.NOISE));
        for (int layer = 0; layer < 5; layer++) {
            blocks.add(block(inputs, layer, Dropout.ATTENTION));
            blocks.add(block(inputs, layer, Dropout.ATTENTION_RESIDUAL));
            blocks.add(block(inputs, layer, Dropout.MLP_RESIDUAL));
            for (int kind = 0; kind < 4; kind++) {
                blocks.add(block(inputs, layer, Dropout.ADAPTER + kind));
            }
        }
        assertThat(blocks).hasSize(2 + 5 * 7);
    }

    private static List<Integer> block(Inputs inputs, int layer, int site) {
        int[] words = new int[4];
        Philox.maskBlock(inputs, layer, site, 0, words);
        return Arrays.stream(words).boxed().toList();
    }
}
