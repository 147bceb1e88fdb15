package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import org.junit.jupiter.api.Test;

class GpuFormsDividedTest extends DividedContract {
    @Override
    Engine engine(Precision precision) {
        return Sdk.engineForGpus(precision);
    }

    /** With copies of weights in 16 bits. */
    @Test
    void computesAsInOneArray() {
        same("gpt2", 18432, false, Precision.BF16);
    }
}
