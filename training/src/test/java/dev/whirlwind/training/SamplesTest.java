package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Sampler;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.evaluation.Prompt;
import dev.whirlwind.training.evaluation.Samples;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Metrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Samples show the weights of their step, and leave everything else as it would be without them. */
class SamplesTest {
    private static final ByteTokenizer TOKENIZER = new ByteTokenizer();

    @TempDir
    Path folder;

    private Path model;

    @BeforeEach
    void makeModel() throws IOException {
        model = TinyRun.gpt2(folder.resolve("model"), DType.F32);
    }

    private Path run(String name) {
        return folder.resolve(name);
    }

    private TrainConfig config(String name, int every) {
        return TinyRun.config(
                model,
                run(name),
                Map.of("sample_every", every, "sample_tokens", 6, "sample_temperature", 0.9, "save_every", 3));
    }

    private Trainer.Corpus corpus() throws IOException {
        Path prompts = folder.resolve("prompts.txt");
        Files.writeString(prompts, "ab\n\n c\u00e9\n");
        Trainer.Corpus corpus = TinyRun.corpus();
        return new Trainer.Corpus(
                corpus.training(), corpus.heldOut(), TOKENIZER, Prompt.read(prompts, TOKENIZER), Map.of());
    }

    /** @param until stops when so many steps are done */
    private TinyRun.Recorder train(TrainConfig config, long until) throws IOException {
        TinyRun.Recorder recorder = new TinyRun.Recorder();
        Trainer[] opened = new Trainer[1];
        TinyRun.Recorder stopping = new TinyRun.Recorder() {
            @Override
            public void on(Event event) {
                recorder.on(event);
                if (event instanceof Event.Step step && step.step() == until) {
                    opened[0].stop();
                }
            }
        };
        try (Engine engine = TinyRun.engine();
                Trainer trainer = TinyRun.trainer(engine, config, corpus(), stopping)) {
            opened[0] = trainer;
            trainer.run();
        }
        return recorder;
    }

    private static List<Event.Sample> samples(List<Event> events) {
        return events.stream()
                .filter(Event.Sample.class::isInstance)
                .map(Event.Sample.class::cast)
                .toList();
    }

    @Test
    void samplesAreOfTheStepsWeightsAndChangeNoBit() throws IOException {
        train(config("plain", 0), -1);
        List<Event.Sample> samples = samples(train(config("sampled", 3), -1).events);
        assertThat(samples).extracting(Event.Sample::step).containsExactly(0L, 0L, 3L, 3L, 6L, 6L, 8L, 8L);
        assertThat(samples).extracting(Event.Sample::name).startsWith("1", "3", "1", "3");
        assertThat(samples.get(1).prompt()).isEqualTo(" c\u00e9");
        for (String name : List.of("final/model.safetensors", "checkpoints/step-00000008/optimizer.safetensors")) {
            assertThat(run("sampled").resolve(name))
                    .hasSameBinaryContentAs(run("plain").resolve(name));
        }
        // What generate makes of the saved model.
        try (Engine engine = TinyRun.engine()) {
            Path saved = run("sampled").resolve("checkpoints/step-00000003");
            ModelConfig config = ModelConfig.read(saved);
            Parameters weights =
                    HuggingFace.load(engine, saved, config, note -> {}).weights();
            int[] ids = new Generator(engine, weights, 16, 4)
                    .generate(
                            TOKENIZER.encodePrompt("ab"),
                            6,
                            new Sampler(0.9, 0, 0.95, 77),
                            Set.of(TOKENIZER.endOfText().id()),
                            id -> {});
            assertThat(samples.get(2).text()).isEqualTo(TOKENIZER.decode(ids));
        }
    }

    @Test
    void aResumedRunHasTheSameSamplesOnce() throws IOException {
        train(config("whole", 2), -1);
        train(config("halved", 2), 4);
        train(config("halved", 2), -1);
        List<Event.Sample> whole = samples(Metrics.read(run("whole").resolve("metrics.jsonl")));
        assertThat(whole).hasSize(10);
        assertThat(samples(Metrics.read(run("halved").resolve("metrics.jsonl"))))
                .isEqualTo(whole);
        assertThat(run("halved").resolve("final/model.safetensors"))
                .hasSameBinaryContentAs(run("whole").resolve("final/model.safetensors"));
    }

    @Test
    void promptsThatWillNotDo() throws IOException {
        Path file = folder.resolve("p.txt");
        assertThatThrownBy(() -> Prompt.read(file, TOKENIZER))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("p.txt: cannot be read (no such file");
        Files.writeString(file, "\ufeffa b\r\nc\n");
        assertThat(Prompt.read(file, TOKENIZER)).extracting(Prompt::text).containsExactly("a b", "c");
        Files.writeString(file, "\n \n");
        assertThatThrownBy(() -> Prompt.read(file, TOKENIZER))
                .hasMessageContaining("p.txt: has 0 prompts; give it 1 to 64");
        Files.write(file, new byte[] {'a', (byte) 0xff});
        assertThatThrownBy(() -> Prompt.read(file, TOKENIZER)).hasMessageContaining("p.txt: is not UTF-8 text");
        Files.writeString(file, "a line of text that is longer than the model");
        List<Prompt> prompts = Prompt.read(file, TOKENIZER);
        assertThatThrownBy(() -> Samples.capacity(ModelConfig.read(model), prompts, 5))
                .hasMessageContaining("the sample prompt 1 has 44 tokens");
    }
}
