package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoopsStoredWeightsTest extends StoredWeightsContract {
    @Override
    Engine engine(Precision precision) {
        return new LoopsEngine(precision);
    }

    @ParameterizedTest
    @CsvSource({"gpt2, false", "llama, true", "qwen3, false", "mistral-swa, false"})
    void computeAsFloats(String model, boolean recompute) {
        same(model, recompute, 0);
    }

    @Test
    void withoutOtherFormats() {
        otherFormatsAreRefused();
    }
}
