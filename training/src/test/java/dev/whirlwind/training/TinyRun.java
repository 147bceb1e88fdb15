package dev.whirlwind.training;

import dev.whirlwind.cpu.CpuEngine;
import dev.whirlwind.data.MixedSequences;
import dev.whirlwind.data.ShuffledSequences;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.files.FolderLock;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.checkpoints.Companions;
import dev.whirlwind.training.checkpoints.RunFolder;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import dev.whirlwind.training.optimizers.Fisher;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** A GPT-2 small enough to train within a second, with dropout at all its sites, and text for it. */
public final class TinyRun {
    public static final int SEQUENCE = 9;
    static final int STEPS = 8;

    private static final String GPT2 = """
            {"model_type": "gpt2", "vocab_size": 256, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 16,
             "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "initializer_range": 0.2,
             "embd_pdrop": 0.1, "attn_pdrop": 0.2, "resid_pdrop": 0.15, "eos_token_id": 255}""";

    /** The head is not tied, so that a damaged embedding harms only the sequences that it occurs in. */
    private static final String LLAMA = """
            {"model_type": "llama", "vocab_size": 256, "hidden_size": 8, "intermediate_size": 12,
             "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16, "rms_norm_eps": 1e-5,
             "rope_theta": 10000.0, "initializer_range": 0.2, "tie_word_embeddings": false}""";

    private static final AtomicInteger ENGINES = new AtomicInteger();

    private TinyRun() {}

    /** Each with another number of threads, which must not matter to a single bit. */
    public static Engine engine() {
        return new CpuEngine(1 + ENGINES.getAndIncrement() % 3);
    }

    public static Path gpt2(Path folder, DType dtype) throws IOException {
        return model(folder, GPT2, dtype, weights -> {});
    }

    public static Path llama(Path folder, Consumer<Parameters> change) throws IOException {
        return model(folder, LLAMA, DType.F32, change);
    }

    /** Wide enough for blocks of quantised weights. */
    static Path wideLlama(Path folder, DType dtype) throws IOException {
        String wide = LLAMA.replace(
                "\"hidden_size\": 8, \"intermediate_size\": 12", "\"hidden_size\": 64, \"intermediate_size\": 128");
        return model(folder, wide, dtype, weights -> {});
    }

    private static Path model(Path folder, String json, DType dtype, Consumer<Parameters> change) throws IOException {
        Files.createDirectories(folder);
        ModelConfig config = ModelConfig.parse(json.getBytes(StandardCharsets.UTF_8), "test");
        try (Engine engine = engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            Initializer.initialize(weights, 11);
            change.accept(weights);
            HuggingFace.save(folder, weights, dtype, 1 << 30);
        }
        new ByteTokenizer().save(folder);
        Files.writeString(folder.resolve("generation_config.json"), "{\"top_k\": 5}");
        return folder;
    }

    /** Writes what matters of a model's weights to two sequences. */
    static void fisher(Path model, Path file) {
        try (Engine engine = engine()) {
            ModelConfig config = ModelConfig.read(model).withDropout(0);
            Fisher fisher = new Fisher(
                    engine, HuggingFace.load(engine, model, config, _ -> {}).weights(), SEQUENCE);
            ShuffledSequences texts = new ShuffledSequences(text("general", 6, 300), SEQUENCE, 4);
            for (int i = 0; i < 2; i++) {
                texts.read(i, fisher.inputs().tokens, fisher.inputs().targets, 0);
                fisher.add();
            }
            fisher.write(file, Companions.model(model));
        }
    }

    /** Three micro-batches of two sequences a step; a checkpoint of every step, all kept; evaluation every third. */
    public static TrainConfig config(Path model, Path out, Map<String, ?> changes) {
        return TrainConfig.of(
                        Map.ofEntries(
                                Map.entry("model", model.toString()),
                                Map.entry("out", out.toString()),
                                Map.entry("steps", STEPS),
                                Map.entry("batch", 2),
                                Map.entry("sequence", SEQUENCE),
                                Map.entry("accumulation", 3),
                                Map.entry("lr", 0.02),
                                Map.entry("warmup", 2),
                                Map.entry("seed", 77),
                                Map.entry("eval_every", 3),
                                Map.entry("eval_windows", 4),
                                Map.entry("save_every", 1),
                                Map.entry("keep", 0)),
                        "test")
                .with(changes, "test");
    }

    /** Letters that follow each other in a pattern; general text of another pattern is mixed in. */
    public static Trainer.Corpus corpus() {
        TrainingSequences training = new MixedSequences(
                new ShuffledSequences(text("domain", 5, 400), SEQUENCE, 3),
                new ShuffledSequences(text("general", 6, 300), SEQUENCE, 4),
                0.3);
        SequencedMap<String, TokenSource> heldOut = new LinkedHashMap<>();
        heldOut.put("domain", text("domain", 7, 100));
        heldOut.put("general", text("general", 8, 80));
        return new Trainer.Corpus(training, heldOut, new ByteTokenizer());
    }

    public static TokenSource text(String name, long seed, int length) {
        Random random = new Random(seed);
        int[] tokens = new int[length];
        for (int i = 1; i < length; i++) {
            tokens[i] = random.nextInt(4) == 0 ? random.nextInt(60) : (tokens[i - 1] * 7 + name.length()) % 60;
        }
        return TokenSource.of(name, tokens, length, 256);
    }

    /** Trains to the end; the run's notes. */
    public static List<String> train(TrainConfig config) {
        return train(engine(), config);
    }

    /** The same on an engine that is closed afterwards. */
    public static List<String> train(Engine engine, TrainConfig config) {
        Recorder recorder = new Recorder();
        try (engine;
                Trainer trainer = trainer(engine, config, corpus(), recorder)) {
            trainer.run();
        }
        return recorder.notes;
    }

    static Trainer trainer(Engine engine, TrainConfig config, Trainer.Corpus corpus, Listener listener) {
        Path run = Path.of(config.data().out());
        RunFolder folder = new RunFolder(run, new FolderLock(run), false, listener::note);
        return new Trainer(engine, folder, config, corpus, listener);
    }

    /** Remembers what it is told. */
    static class Recorder implements Listener {
        final List<Event> events = new ArrayList<>();
        final List<String> notes = new ArrayList<>();

        @Override
        public void on(Event event) {
            events.add(event);
        }

        @Override
        public void note(String sentence) {
            notes.add(sentence);
        }
    }
}
