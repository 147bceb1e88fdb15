package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;

/** Whole models with activations of 16 bits. */
class LoopsBf16GoldenTest extends LoopsGoldenTest {
    @Override
    Engine engine() {
        return new LoopsEngine(Precision.BF16);
    }

    @Override
    Tolerance tolerance() {
        return Tolerance.BF16;
    }
}
