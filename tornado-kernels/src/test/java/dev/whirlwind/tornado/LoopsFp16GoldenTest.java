package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;

class LoopsFp16GoldenTest extends LoopsGoldenTest {
    @Override
    Engine engine() {
        return new LoopsEngine(Precision.FP16);
    }

    @Override
    Tolerance tolerance() {
        return Tolerance.FP16;
    }
}
