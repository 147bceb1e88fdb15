package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import java.util.List;

/** In the forms for GPUs weights have 16 bits, too, where they are multiplied. */
class GpuBf16GoldenTest extends TornadoBf16GoldenTest {
    @Override
    List<String> cases() {
        return List.of("qwen3");
    }

    @Override
    Engine engine() {
        return Sdk.engineForGpus(Precision.BF16);
    }
}
