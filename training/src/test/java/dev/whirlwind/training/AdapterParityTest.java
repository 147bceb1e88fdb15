package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.GoldenCases;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters compute, learn and move as PEFT 0.21's do in double precision; they were made by golden/make_lora_cases.py. */
class AdapterParityTest {
    @ParameterizedTest
    @ValueSource(strings = {"lora-gpt2", "dora-qwen2", "lora-llama-embeddings", "lora-qwen3-patterns", "pissa-llama"})
    void agreesWithPeft(String name) {
        Parity.Report report = Parity.run(TinyRun::engine, GoldenCases.folder(name));
        assertThat(report.pass()).as(report.toString()).isTrue();
        assertThat(report.finalParameters().maxAbsError()).isLessThan(1e-5);
        assertThat(report.trajectory().maxGradNormRelativeError()).isLessThan(1e-5);
    }
}
