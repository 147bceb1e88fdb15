package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import java.util.List;

/** Whole models with activations of 16 bits on a device. */
class TornadoBf16GoldenTest extends TornadoGoldenTest {
    @Override
    List<String> cases() {
        return List.of("gpt2");
    }

    @Override
    Engine engine() {
        return Sdk.engine(Precision.BF16);
    }

    @Override
    Tolerance tolerance() {
        return Tolerance.BF16;
    }
}
