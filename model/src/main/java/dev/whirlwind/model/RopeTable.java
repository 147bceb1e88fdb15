package dev.whirlwind.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Cosines and sines of the rotary angles, times the attention factor: [positions, head_dim / 2] each. */
final class RopeTable {
    final Tensor cos;
    final Tensor sin;

    private final Engine engine;
    private final Rope rope;
    private final int positions;
    private final int pairs;
    private int length;

    /** Takes memory only; {@link #ready} or {@link #use} fills it. */
    RopeTable(Engine engine, Rope rope, int positions, int pairs) {
        this.engine = engine;
        this.rope = rope;
        this.positions = positions;
        this.pairs = pairs;
        cos = new Tensor(engine.allocate("rope.cos", (long) positions * pairs), 0, 0);
        sin = new Tensor(engine.allocate("rope.sin", (long) positions * pairs), 0, 0);
    }

    /** Filled, where it is not yet, for texts of as many tokens as it has positions. */
    void ready() {
        if (length == 0) {
            fill(positions);
        }
    }

    /**
     * Makes the table that of texts of so many tokens, where that matters. They are taken to be read at once, and each
     * token after them by itself, with the rotation of a text that ends there: so {@code transformers} generates.
     */
    void use(int length) {
        if (this.length == 0 || (length != this.length && rope.dependsOnLength())) {
            fill(length);
        }
    }

    private void fill(int length) {
        this.length = length;
        MemorySegment cosines = cos.buffer().segment();
        MemorySegment sines = sin.buffer().segment();
        double factor = rope.scaling().attentionFactor();
        double[] frequencies = rope.frequencies(pairs, length);
        for (int position = 0; position < positions; position++) {
            if (position >= length && rope.dependsOnLength()) {
                frequencies = rope.frequencies(pairs, position + 1);
            }
            for (int i = 0; i < pairs; i++) {
                // In double, as angles in floats lose digits at high positions.
                double angle = position * frequencies[i];
                long at = (long) position * pairs + i;
                cosines.setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) (Math.cos(angle) * factor));
                sines.setAtIndex(ValueLayout.JAVA_FLOAT, at, (float) (Math.sin(angle) * factor));
            }
        }
        engine.upload(cos.buffer(), 0, cos.buffer().length());
        engine.upload(sin.buffer(), 0, sin.buffer().length());
    }
}
