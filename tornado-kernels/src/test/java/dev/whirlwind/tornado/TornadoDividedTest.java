package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import org.junit.jupiter.api.Test;

class TornadoDividedTest extends DividedContract {
    @Override
    Engine engine(Precision precision) {
        return Sdk.engine(precision);
    }

    @Test
    void computesAsInOneArray() {
        same("llama", 20480, true, Precision.FP32);
    }
}
