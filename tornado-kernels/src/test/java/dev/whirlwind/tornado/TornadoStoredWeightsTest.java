package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import org.junit.jupiter.api.Test;

class TornadoStoredWeightsTest extends StoredWeightsContract {
    @Override
    Engine engine(Precision precision) {
        return Sdk.engine(precision);
    }

    @Test
    void computeAsFloats() {
        same("llama", false, 1e-5);
    }
}
