package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LoopsDividedTest extends DividedContract {
    @AfterEach
    void anySize() {
        System.clearProperty("whirlwind.largest-array");
    }

    @Override
    Engine engine(Precision precision) {
        return new LoopsEngine(precision);
    }

    @ParameterizedTest
    @CsvSource({
        "gpt2, 18432, false, FP32",
        "llama, 20480, true, FP32",
        "qwen3, 16896, false, FP32",
        "gpt2, 18432, true, BF16"
    })
    void computesAsInOneArray(String model, int largestArray, boolean recompute, Precision precision) {
        same(model, largestArray, recompute, precision);
    }

    @Test
    void dividesWhereSlicesBegin() {
        System.setProperty("whirlwind.largest-array", "100");
        try (Engine engine = new LoopsEngine()) {
            Buffer buffer = engine.allocate("b", 260, new long[] {0, 48, 96, 196, 208});
            assertThat(((Divided) buffer).arrays().keySet()).containsExactly(0L, 96L, 196L);
            assertThat(((Divided) buffer).arrays().values())
                    .extracting(Buffer::length)
                    .containsExactly(96L, 100L, 64L);
        }
    }

    @Test
    void whatIsOneSliceIsNotDivided() {
        System.setProperty("whirlwind.largest-array", "100");
        try (Engine engine = new LoopsEngine()) {
            assertThatThrownBy(() -> engine.allocate("weights", 300, new long[] {0, 101, 200}))
                    .isInstanceOf(UserException.class)
                    .hasMessage(
                            "the engine 'loops' holds at most 100 numbers in one array, but weights needs 101 in one; use "
                                    + "--engine cpu or a smaller model or batch");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "-5", "1e9", "99999999999999999999"})
    void sizesThatAreNone(String value) {
        System.setProperty("whirlwind.largest-array", value);
        assertThatThrownBy(LoopsEngine::new)
                .isInstanceOf(UsageException.class)
                .hasMessage("-Dwhirlwind.largest-array is " + value + "; it must be a number of floats");
    }
}
