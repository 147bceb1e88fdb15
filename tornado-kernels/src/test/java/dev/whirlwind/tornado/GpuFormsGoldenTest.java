package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import java.util.List;

/** Models in the forms for GPUs; each of these cases has kernels that the others lack. */
class GpuFormsGoldenTest extends TornadoGoldenTest {
    @Override
    List<String> cases() {
        return List.of("gpt2", "mistral-swa", "qwen3");
    }

    @Override
    Engine engine() {
        return Sdk.engineForGpus();
    }
}
