package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import org.junit.jupiter.api.Test;

class GpuFormsStoredWeightsTest extends StoredWeightsContract {
    @Override
    Engine engine(Precision precision) {
        return Sdk.engineForGpus(precision);
    }

    @Test
    void computeAsFloats() {
        same("gpt2", false, 1e-5);
    }
}
