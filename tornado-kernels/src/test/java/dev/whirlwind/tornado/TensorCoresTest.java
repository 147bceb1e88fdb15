package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** When products take the form for tensor cores, and what becomes of their operands. */
class TensorCoresTest {
    private static final String ODD_VOCABULARY = """
            {"architectures":["GPT2LMHeadModel"],"model_type":"gpt2","n_embd":64,"n_layer":2,"n_head":2,
            "vocab_size":301,"n_positions":64,"resid_pdrop":0,"embd_pdrop":0,"attn_pdrop":0}
            """;

    @ParameterizedTest
    @CsvSource({
        "CUDA, Device version   : CUDA 9.0, true",
        "CUDA, Device version   : CUDA 8.0, true",
        "CUDA, Device version   : CUDA 12.0, true",
        "CUDA, Device version   : CUDA 7.5, false",
        "CUDA, Device vendor    : NVIDIA, false",
        "OpenCL, Device version   : CUDA 9.0, false"
    })
    void areThereFromAmpereOn(String backend, String line, boolean there) {
        assertThat(TensorCores.areThere(backend, "id=0x0\nFreq=2 GHz\n" + line + "\nAddress size     : 64\n"))
                .isEqualTo(there);
    }

    @ParameterizedTest
    @CsvSource({
        "BF16, true, wGemmTensorCores",
        "BF16, false, wGemmBlocked",
        "FP16, true, wGemmBlocked",
        "FP32, true, wGemmBlocked"
    })
    void multiplyBfloat16(Precision precision, boolean tensorCores, String kernel) {
        assertThat(products(precision, tensorCores))
                .isNotEmpty()
                .allMatch(launch -> launch.kernel().equals(kernel));
    }

    @Test
    void leaveProductsOfFloatsAlone() {
        List<Launch> launches = Launches.of(16, Precision.BF16, true, engine -> {
            Tensor x = new Tensor(engine.allocate("x", 128 * 64), 0, 0);
            Tensor scratch = new Tensor(engine.allocate("scratch", Ops.newtonSchulzScratch(128, 64)), 0, 0);
            engine.run(ops -> ops.newtonSchulz(x, scratch, 128, 64), new Inputs(1), 0);
        });
        assertThat(launches)
                .extracting(Launch::kernel)
                .contains("wGemmBlocked")
                .doesNotContain("wGemmTensorCores", "wNarrowBf16");
    }

    /** Once for both products of a gradient; rows of an odd length are filled up. */
    @Test
    void narrowGradients() {
        List<String> operations = new ArrayList<>();
        for (Launch launch : step(Precision.BF16, true)) {
            boolean gradient = launch.operation().equals("narrow") && launch.size(3) == 0;
            operations.add(gradient ? "narrow " + launch.size(0) + " x " + launch.size(2) : launch.operation());
        }
        operations.removeIf(operation -> !operation.matches("narrow \\d.*|linearBackward(Input|Weight)"));
        String rest = String.join(", ", operations);
        // The weights first, all of them.
        rest = rest.substring(rest.indexOf("narrow 128 x 302"));
        String block = "narrow 128 x 64, both, narrow 128 x 256, both, narrow 128 x 64, both, narrow 128 x 192, both"
                .replace("both", "linearBackwardWeight, linearBackwardInput");
        assertThat(rest)
                .startsWith("narrow 128 x 302, linearBackwardInput, linearBackwardWeight, " + block + ", " + block);
    }

    private static List<Launch> step(Precision precision, boolean tensorCores) {
        return Launches.ofStep(Launches.config(ODD_VOCABULARY), 2, 64, 16, precision, tensorCores);
    }

    private static List<Launch> products(Precision precision, boolean tensorCores) {
        return step(precision, tensorCores).stream()
                .filter(launch -> launch.operation().matches("linear(Backward(Input|Weight))?"))
                .toList();
    }
}
