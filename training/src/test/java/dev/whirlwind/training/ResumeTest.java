package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.data.MixedSequences;
import dev.whirlwind.data.Preparation;
import dev.whirlwind.data.ShuffledSequences;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.FolderLock;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WatchedDisk;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.training.checkpoints.Checkpoints;
import dev.whirlwind.training.checkpoints.Manifest;
import dev.whirlwind.training.checkpoints.RunFolder;
import dev.whirlwind.training.checkpoints.TrainerState;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import dev.whirlwind.training.metrics.Metrics;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A run that was interrupted ends with the same bits as one that was not. */
class ResumeTest {
    @TempDir
    Path folder;

    private Path model(DType dtype) throws IOException {
        return TinyRun.gpt2(folder.resolve("model"), dtype);
    }

    private TrainConfig config(Path model, String out) {
        return TinyRun.config(model, folder.resolve(out), Map.of());
    }

    /** Same files with the same bytes in the last checkpoint, best and final, and the same story in the metrics. */
    private void assertSameEnd(Path actual, Path expected) throws IOException {
        String last = "checkpoints/"
                + new Checkpoints(expected, note -> {}).list().getLast().getFileName();
        for (String name : List.of(last, "best", "final")) {
            assertThat(Storage.list(actual.resolve(name)))
                    .extracting(path -> path.getFileName().toString())
                    .containsExactlyElementsOf(Stream.of(Storage.list(expected.resolve(name)))
                            .map(path -> path.getFileName().toString())
                            .toList());
            for (Path file : Storage.list(expected.resolve(name))) {
                String fileName = file.getFileName().toString();
                if (!fileName.equals(TrainerState.NAME) && !(fileName.equals(Manifest.NAME) && name.equals(last))) {
                    assertThat(actual.resolve(name).resolve(fileName)).hasSameBinaryContentAs(file);
                }
            }
        }
        assertThat(state(actual.resolve(last))).isEqualTo(state(expected.resolve(last)));
        assertThat(story(actual)).isEqualTo(story(expected));
    }

    private static String state(Path checkpoint) throws IOException {
        return Files.readString(checkpoint.resolve(TrainerState.NAME)).replaceAll("\"elapsed_seconds\".*", "");
    }

    private static List<String> story(Path run) throws IOException {
        return Files.readAllLines(run.resolve("metrics.jsonl")).stream()
                .map(line -> line.replaceAll(
                        "\"(tokens_per_second|elapsed_seconds|seconds|bytes|memory_mib)\":[-.E0-9]+|\"time\":\"[^\"]+\"",
                        ""))
                .toList();
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F32", "BF16"})
    void fromEveryCheckpointWithDropoutAccumulationAndReplay(DType dtype) throws IOException {
        Path model = model(dtype);
        Path whole = folder.resolve("whole");
        TinyRun.train(config(model, "whole"));
        for (int step = 0; step < TinyRun.STEPS; step += dtype == DType.F32 ? 1 : 3) {
            Path run = folder.resolve("from" + step);
            if (step > 0) {
                String name = "checkpoints/" + Checkpoints.name(step);
                Files.createDirectories(run.resolve(name));
                for (Path file : Storage.list(whole.resolve(name))) {
                    Files.copy(file, run.resolve(name).resolve(file.getFileName()));
                }
                Files.copy(whole.resolve("metrics.jsonl"), run.resolve("metrics.jsonl"));
                Files.copy(whole.resolve("before.json"), run.resolve("before.json"));
            }
            List<String> notes = TinyRun.train(config(step == 0 ? model : folder.resolve("gone"), "from" + step));
            assertThat(notes).hasSize(step == 0 ? 0 : 1);
            assertSameEnd(run, whole);
        }
    }

    /** With an average of the weights, both anchors and noise. */
    @ParameterizedTest
    @ValueSource(strings = {"lion", "muon", "adafactor", "apollo"})
    void withEveryOptimizer(String optimizer) throws IOException {
        Path fisher = folder.resolve("fisher.safetensors");
        TinyRun.fisher(model(DType.BF16), fisher);
        Map<String, Object> options = new HashMap<>(Map.of("optimizer", optimizer, "ema", 0.9, "neftune", 5));
        // So light that the best step is none of those that the moved run does not have.
        options.putAll(Map.of("anchor", 0.1, "ewc", fisher.toString(), "ewc_weight", 1));
        goesOn(options);
    }

    @ParameterizedTest
    @ValueSource(strings = {"adamw", "muon"})
    void withFrozenPartsAndRatesByName(String optimizer) throws IOException {
        Path fisher = folder.resolve("fisher.safetensors");
        TinyRun.fisher(model(DType.BF16), fisher);
        goesOn(Map.of(
                "optimizer",
                optimizer,
                "ewc",
                fisher.toString(),
                "freeze",
                List.of("wpe", "h.0.attn"),
                "lr_for",
                List.of("wte=0.3"),
                "layer_decay",
                0.8));
        try (SafetensorsFile saved = SafetensorsFile.open(
                folder.resolve("whole/checkpoints/" + Checkpoints.name(3) + "/optimizer.safetensors"))) {
            assertThat(saved.tensors().keySet())
                    .contains("m.transformer.h.1.attn.c_attn.weight")
                    .doesNotContain("m.transformer.wpe.weight", "m.transformer.h.0.attn.c_attn.weight");
        }
    }

    /** Whose updates are rounded at random. */
    @ParameterizedTest
    @ValueSource(strings = {"adamw", "lion", "muon", "adafactor", "apollo"})
    void withWeightsOf16Bits(String optimizer) throws IOException {
        Map<String, Object> options = new HashMap<>(Map.of("optimizer", optimizer, "weights", "bf16"));
        options.putAll(Map.of("ema", 0.9, "anchor", 0.1));
        if (!optimizer.equals("adafactor") && !optimizer.equals("apollo")) {
            options.put("moments", "int8");
        }
        goesOn(options);
        String name = Checkpoints.name(3);
        try (SafetensorsFile saved =
                SafetensorsFile.open(folder.resolve("whole/checkpoints/" + name + "/optimizer.safetensors"))) {
            assertThat(saved.tensors().keySet())
                    .contains("master.transformer.ln_f.weight")
                    .doesNotContain("master.transformer.wte.weight");
        }
    }

    /** With gradients of one layer, and half of the blocks' inputs. */
    @ParameterizedTest
    @ValueSource(strings = {"adamw", "lion", "muon", "adafactor", "apollo"})
    void withUpdatesInTheBackwardPass(String optimizer) throws IOException {
        Map<String, Object> options = new HashMap<>(Map.of("optimizer", optimizer, "accumulation", 1, "batch", 4));
        options.putAll(Map.of("update_in_backward", true, "recompute", true, "recompute_every", 2, "ema", 0.9));
        goesOn(options);
    }

    /** Adapters that become part of the model every second step. */
    @ParameterizedTest
    @ValueSource(strings = {"adamw", "adafactor"})
    void withRestarts(String optimizer) throws IOException {
        Map<String, Object> options =
                new HashMap<>(Map.of("lora", 2, "lora_restart_every", 2, "lora_restart_warmup", 2));
        options.putAll(Map.of("optimizer", optimizer, "lora_save", List.of("wte", "ln_f"), "lora_dropout", 0.1));
        if (optimizer.equals("adamw")) {
            options.putAll(Map.of("dora", true, "moments", "int8"));
        }
        goesOn(options);
    }

    @Test
    void withThePrincipalPart() throws IOException {
        goesOn(Map.of("lora", 3, "lora_init", "pissa", "lora_dropout", 0.1, "ema", 0.9, "save_dtype", "BF16"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"adamw", "muon", "adafactor", "apollo"})
    void withAnAdapter(String optimizer) throws IOException {
        goesOn(Map.of(
                "optimizer",
                optimizer,
                "lora",
                3,
                "lora_dropout",
                0.1,
                "dora",
                optimizer.equals("adamw"),
                "lora_save",
                List.of("wte"),
                "lora_plus",
                4,
                "ema",
                0.9,
                "weights",
                optimizer.equals("muon") ? "bf16" : "fp32",
                "anchor",
                0.1));
        Path last = folder.resolve("whole/final");
        assertThat(last.resolve("adapter_model.safetensors")).isRegularFile();
        assertThat(last.resolve("config.json")).doesNotExist();
    }

    @Test
    void whatWasFrozenStaysSo() throws IOException {
        Path model = model(DType.F32);
        TrainConfig config = config(model, "run").with(Map.of("freeze", List.of("wpe")), "test");
        TinyRun.train(config);
        assertThatThrownBy(() -> TinyRun.train(config.with(Map.of("freeze", List.of()), "test")))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("had freeze [\"wpe\"], and is now given []", "start a new run")
                .message()
                .hasLineCount(1);
    }

    /** Rotations are scaled when a run begins, and then its checkpoints say so. */
    @Test
    void withRotationsForLongerTexts() throws IOException {
        Path model = TinyRun.llama(folder.resolve("model"), _ -> {});
        goesOn(model, Map.of("rope_scaling", "yarn:2"));
        assertThat(ModelConfig.read(model).maxPositions()).isEqualTo(16);
        assertThat(ModelConfig.read(folder.resolve("run/final")).maxPositions()).isEqualTo(32);
    }

    private void goesOn(Map<String, Object> options) throws IOException {
        goesOn(model(DType.BF16), options);
    }

    private void goesOn(Path model, Map<String, Object> options) throws IOException {
        TinyRun.train(config(model, "whole").with(options, "test"));
        Path whole = folder.resolve("whole");
        Path run = folder.resolve("run");
        String name = "checkpoints/" + Checkpoints.name(3);
        Files.createDirectories(run.resolve(name));
        for (Path file : Storage.list(whole.resolve(name))) {
            Files.copy(file, run.resolve(name).resolve(file.getFileName()));
        }
        Files.copy(whole.resolve("metrics.jsonl"), run.resolve("metrics.jsonl"));
        Files.copy(whole.resolve("before.json"), run.resolve("before.json"));
        TinyRun.train(config(folder.resolve("gone"), "run").with(options, "test"));
        assertSameEnd(run, whole);
        if (options.containsKey("ema")) {
            for (Path file : Storage.list(whole.resolve("ema"))) {
                assertThat(run.resolve("ema").resolve(file.getFileName())).hasSameBinaryContentAs(file);
            }
        }
    }

    @Test
    void anotherOptimizerCannotGoOn() throws IOException {
        Path model = model(DType.F32);
        TinyRun.train(config(model, "run").with(Map.of("optimizer", "lion"), "test"));
        assertThatThrownBy(() -> TinyRun.train(config(model, "run").with(Map.of("optimizer", "muon"), "test")))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(Checkpoints.name(TinyRun.STEPS), "had optimizer lion, and is now given muon")
                .message()
                .hasLineCount(1);
    }

    @Test
    void dropoutAndAccumulationMatterInThisTest() throws IOException {
        Path model = model(DType.F32);
        TinyRun.train(config(model, "a"));
        TinyRun.train(config(model, "b").with(Map.of("dropout", 0), "test"));
        TinyRun.train(config(model, "c").with(Map.of("seed", 78), "test"));
        Path a = folder.resolve("a/final/model.safetensors");
        assertThat(Files.mismatch(a, folder.resolve("b/final/model.safetensors")))
                .isNotNegative();
        assertThat(Files.mismatch(a, folder.resolve("c/final/model.safetensors")))
                .isNotNegative();
    }

    /** After each event, and amid steps and evaluations, as these read: every session a moment later than the one before. */
    @Test
    void stoppedAtManyMoments() throws IOException {
        Path model = model(DType.F32);
        TinyRun.train(config(model, "whole").with(Map.of("save_every", 0), "test"));
        TrainConfig config = config(model, "run").with(Map.of("save_every", 0), "test");
        boolean interrupted = true;
        for (int moment = 1; interrupted; moment++) {
            try (Engine engine = TinyRun.engine()) {
                Stopper stopper = new Stopper();
                try (Trainer trainer = TinyRun.trainer(engine, config, stopper.watched(TinyRun.corpus()), stopper)) {
                    stopper.stops(trainer, moment);
                    interrupted = trainer.run().interrupted();
                }
            }
            assertThat(folder.resolve("run/final").toFile().exists()).isNotEqualTo(interrupted);
        }
        Path actual = folder.resolve("run");
        Path expected = folder.resolve("whole");
        for (String file : List.of("best/model.safetensors", "final/model.safetensors")) {
            assertThat(actual.resolve(file)).hasSameBinaryContentAs(expected.resolve(file));
        }
        assertThat(evaluations(actual)).isEqualTo(evaluations(expected));
    }

    /** Counts what happens, and stops a trainer when so much has. */
    private static class Stopper extends TinyRun.Recorder {
        private Trainer trainer;
        private int left;

        void stops(Trainer trainer, int moment) {
            this.trainer = trainer;
            left = moment;
        }

        private void happened() {
            if (trainer != null && --left == 0) {
                atLast();
            }
        }

        void atLast() {
            trainer.stop();
        }

        @Override
        public void on(Event event) {
            happened();
        }

        Trainer.Corpus watched(Trainer.Corpus corpus) {
            LinkedHashMap<String, TokenSource> heldOut = new LinkedHashMap<>();
            corpus.heldOut().forEach((name, source) -> heldOut.put(name, watched(source)));
            return new Trainer.Corpus(watched(corpus.training()), heldOut, corpus.tokenizer());
        }

        private TrainingSequences watched(TrainingSequences sequences) {
            return new TrainingSequences() {
                @Override
                public int sequence() {
                    return sequences.sequence();
                }

                @Override
                public long perEpoch() {
                    return sequences.perEpoch();
                }

                @Override
                public void read(long position, int[] tokens, int[] targets, int offset) {
                    happened();
                    sequences.read(position, tokens, targets, offset);
                }
            };
        }

        private TokenSource watched(TokenSource source) {
            return new TokenSource() {
                @Override
                public int endOfText() {
                    return -1;
                }

                @Override
                public long tokens() {
                    return source.tokens();
                }

                @Override
                public long sourceBytes() {
                    return source.sourceBytes();
                }

                @Override
                public String name() {
                    return source.name();
                }

                @Override
                public void read(long from, int[] destination, int offset, int n) {
                    happened();
                    source.read(from, destination, offset, n);
                }
            };
        }
    }

    private static List<Event> evaluations(Path run) {
        return Metrics.read(run.resolve("metrics.jsonl")).stream()
                .filter(Event.Eval.class::isInstance)
                .toList();
    }

    /** Each file of the newest checkpoint in turn, at any byte; once also of the two newest. */
    @Test
    void damageAnywhereIsToldAndAnOlderCheckpointTaken() throws IOException {
        Path model = model(DType.F32);
        TrainConfig config = config(model, "run").with(Map.of("steps", 3), "test");
        TinyRun.train(config.with(Map.of("out", folder.resolve("whole").toString()), "test"));
        TinyRun.train(config);
        Path run = folder.resolve("run");
        Path last = run.resolve("checkpoints/step-00000003");
        Random random = new Random(4);
        List<Path> files = List.of(Storage.list(last));
        assertThat(files).hasSize(9);
        for (Path file : files) {
            flipAByte(file, random);
            assertThat(TinyRun.train(config).getFirst())
                    .startsWith(file + ": damaged, it ")
                    .endsWith("; going on from the older step-00000002");
            assertSameEnd(run, folder.resolve("whole"));
        }
        flipAByte(last.resolve(TrainerState.NAME), random);
        flipAByte(run.resolve("checkpoints/step-00000002/config.json"), random);
        assertThat(TinyRun.train(config)).hasSize(3);
        assertSameEnd(run, folder.resolve("whole"));
    }

    private static void flipAByte(Path file, Random random) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
        Files.write(file, bytes);
    }

    /**
     * A run meets a full disk at any of its calls of the system, is told so, and goes on to the same bits when there is
     * room. At some calls; at all of them with -Dwhirlwind.long=true.
     */
    @Test
    void aDiskThatFillsUpAtAnyMomentCostsNothing() throws IOException {
        Path model = model(DType.F32);
        Map<String, Object> often = Map.of("steps", 4, "eval_every", 1, "keep", 2);
        WatchedDisk watched = new WatchedDisk();
        try (watched) {
            TinyRun.train(config(model, "whole").with(often, "test"));
        }
        assertThat(watched.unsynced(folder.resolve("whole"))).isEmpty();
        int calls = watched.calls().size();
        assertThat(calls).isGreaterThan(350);
        Random random = new Random(6);
        int most = Boolean.getBoolean("whirlwind.long") ? 1 : calls / 3;
        for (int call = random.nextInt(most); call < calls; call += random.nextInt(1, 1 + most)) {
            String name = "full" + call;
            TrainConfig config = config(model, name).with(often, "test");
            try (WatchedDisk full = new WatchedDisk().failingAfter(call)) {
                assertThatThrownBy(() -> TinyRun.train(config), "call %d", call)
                        .isInstanceOf(UserException.class)
                        .hasMessageContaining(WatchedDisk.FULL);
                assertThat(full.calls().size()).isGreaterThan(call);
            }
            TinyRun.train(config);
            assertSameEnd(folder.resolve(name), folder.resolve("whole"));
            Storage.delete(folder.resolve(name));
        }
    }

    @Test
    void whenNoCheckpointIsWholeThatIsAnError() throws IOException {
        TrainConfig config = config(model(DType.F32), "run").with(Map.of("keep", 1), "test");
        TinyRun.train(config);
        Files.delete(folder.resolve("run/checkpoints/step-00000008/config.json"));
        assertThatThrownBy(() -> TinyRun.train(config))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("config.json: damaged, it is missing", "no checkpoint of", "is whole");
    }

    /** A teacher and a Fisher information are known by what they hold, wherever they lie. */
    @Test
    void whatARunLearnsFromBesideItsTextsMayNotChangeUnseen() throws IOException {
        Path model = model(DType.F32);
        Path teacher = folder.resolve("teacher");
        Path fisher = folder.resolve("fisher.safetensors");
        TinyRun.llama(teacher, weights -> {});
        TinyRun.fisher(model, fisher);
        TrainConfig config = config(model, "run")
                .with(Map.of("steps", 2, "teacher", teacher.toString(), "ewc", fisher.toString()), "test");
        TinyRun.train(config);
        TrainConfig longer = config.with(Map.of("save_every", 2), "test");
        assertThat(TinyRun.train(longer)).hasSize(1);

        for (Path file : Storage.list(teacher)) {
            Storage.delete(file);
        }
        TinyRun.llama(teacher, weights -> weights.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, 3, 1));
        weightsOf(fisher);
        assertThatThrownBy(() -> TinyRun.train(longer))
                .isInstanceOf(UserException.class)
                .hasMessageMatching(".*with other options than it began with: teacher holds something else than it did"
                        + " \\(SHA-256 was [0-9a-f]{8}... and is [0-9a-f]{8}...\\), ewc holds something else than it did"
                        + " .*; put them back, or resume with --change \\(--accept-config\\) to mean it");
    }

    /** Another Fisher information in its place. */
    private void weightsOf(Path fisher) throws IOException {
        Storage.delete(fisher);
        TinyRun.fisher(TinyRun.gpt2(folder.resolve("other"), DType.BF16), fisher);
    }

    @Test
    void anotherGeometryIsAnotherRun() throws IOException {
        Path model = model(DType.F32);
        TinyRun.train(config(model, "run"));
        for (Map<String, Integer> change : List.of(Map.of("batch", 3), Map.of("accumulation", 2), Map.of("seed", 1))) {
            assertThatThrownBy(() -> TinyRun.train(config(model, "run").with(change, "test")))
                    .isInstanceOf(UserException.class)
                    .hasMessageContainingAll(
                            "trainer_state.json", change.keySet().iterator().next());
        }
    }

    @Test
    void changedOptionsAreNamedAndRefusedUnlessTheyAreMeant() throws IOException {
        TrainConfig config = config(model(DType.F32), "run").with(Map.of("steps", 2, "eval_every", 0), "test");
        TinyRun.train(config);
        Map<String, Object> changes = Map.ofEntries(
                Map.entry("steps", 3),
                Map.entry("lr", 0.01),
                Map.entry("min_lr", 0.001),
                Map.entry("schedule", "wsd"),
                Map.entry("warmup", 0.5),
                Map.entry("decay", 0.2),
                Map.entry("weight_decay", 0.0),
                Map.entry("beta1", 0.8),
                Map.entry("beta2", 0.99),
                Map.entry("eps", 1e-7),
                Map.entry("clip", 2.0),
                Map.entry("dropout", 0.0),
                Map.entry("held_out", 0.1),
                Map.entry("eval_every", 1),
                Map.entry("patience", 2),
                Map.entry("on_spike", "skip"),
                Map.entry("save_dtype", "BF16"));
        changes.forEach((name, value) -> assertThatThrownBy(
                        () -> TinyRun.train(config.with(Map.of(name, value), "test")))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("run: ", name + " was ", " and is ", "--accept-config"));
        assertThatThrownBy(() -> TinyRun.train(config.with(Map.of("steps", 4, "lr", 0.01), "test")))
                .hasMessageContaining("steps was 2 and is 4, lr was 0.02 and is 0.01;");
        // What may change freely is not even told.
        assertThat(TinyRun.train(config.with(Map.of("keep", 1, "save_every", 7, "recompute", true), "test")))
                .hasSize(1);

        TrainConfig longer = config.with(Map.of("steps", 3), "test");
        TinyRun.Recorder recorder = new TinyRun.Recorder();
        Path run = folder.resolve("run");
        try (Engine engine = TinyRun.engine()) {
            RunFolder accepting = new RunFolder(run, new FolderLock(run), true, recorder::note);
            try (Trainer trainer = new Trainer(engine, accepting, longer, TinyRun.corpus(), recorder)) {
                assertThat(trainer.run().step()).isEqualTo(3);
            }
        }
        assertThat(recorder.notes).contains("from step 2 on: steps was 2 and is 3");
        // From then on it is what the run is.
        assertThat(TinyRun.train(longer)).hasSize(1);
    }

    @Test
    void aCheckpointOfAnOlderVersionRecordsNoOptions() throws IOException {
        TrainConfig config = config(model(DType.F32), "run").with(Map.of("steps", 2), "test");
        TinyRun.train(config);
        Path last = folder.resolve("run/checkpoints/step-00000002");
        Path file = last.resolve(TrainerState.NAME);
        String older = Files.readString(file)
                .replaceFirst("(?s)  \"options\" : \\{.*?\\},\n", "")
                .replaceFirst("  \"total_steps\" : 2,?\n", "");
        assertThat(older).doesNotContain("options", "total_steps", "lr");
        Files.writeString(file, older);
        Files.delete(last.resolve(Manifest.NAME));
        Manifest.seal(last);
        assertThat(TinyRun.train(config.with(Map.of("steps", 3), "test")))
                .hasSize(2)
                .anyMatch(note -> note.contains("records no options"));
        assertThat(TinyRun.train(config.with(Map.of("steps", 3), "test"))).hasSize(1);
    }

    @Test
    void otherTextIsAnotherRun() throws IOException {
        Path model = model(DType.F32);
        TinyRun.train(config(model, "run"));
        Trainer.Corpus corpus = TinyRun.corpus();
        TrainingSequences changed = new MixedSequences(
                new ShuffledSequences(TinyRun.text("domain", 99, 400), TinyRun.SEQUENCE, 3),
                new ShuffledSequences(TinyRun.text("general", 6, 300), TinyRun.SEQUENCE, 4),
                0.3);
        try (Engine engine = TinyRun.engine()) {
            assertThatThrownBy(() -> TinyRun.trainer(
                            engine,
                            config(model, "run"),
                            new Trainer.Corpus(changed, corpus.heldOut(), corpus.tokenizer()),
                            new TinyRun.Recorder()))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("training data of checksum");
        }
    }

    @Test
    void aFolderThatIsNotGivenIsAskedFor() throws IOException {
        TrainConfig config = config(model(DType.F32), "run");
        HashMap<String, String> missing = new HashMap<>();
        missing.put("model", null);
        assertThatThrownBy(() -> TinyRun.train(config.with(missing, "test")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("option model");
    }

    @Test
    void twoProcessesCannotTrainInOneFolder() throws IOException {
        TrainConfig config = config(model(DType.F32), "run");
        try (Engine engine = TinyRun.engine();
                Trainer first = TinyRun.trainer(engine, config, TinyRun.corpus(), new TinyRun.Recorder())) {
            assertThatThrownBy(() -> TinyRun.train(config)).hasMessageContaining("at work in this folder");
            first.run();
        }
        TinyRun.train(config);
    }

    /** As when the disk with the texts fails: what was done until then is kept, and the run goes on from there. */
    @Test
    void stepsBeforeATextThatCannotBeReadAreSaved() throws IOException {
        Path model = model(DType.F32);
        TrainConfig config = config(model, "run").with(Map.of("save_every", 0), "test");
        try (Engine engine = TinyRun.engine()) {
            Stopper failure = new Stopper() {
                @Override
                public void on(Event event) {}

                @Override
                void atLast() {
                    throw new InternalError("a fault occurred in an unsafe memory access operation");
                }
            };
            try (Trainer trainer = TinyRun.trainer(engine, config, failure.watched(TinyRun.corpus()), failure)) {
                // Amid the fifth step or so, whatever was evaluated before.
                failure.stops(trainer, 50);
                assertThatThrownBy(trainer::run).isInstanceOf(InternalError.class);
                assertThat(trainer.step()).isBetween(1L, TinyRun.STEPS - 1L);
                assertThat(folder.resolve("run/checkpoints").toFile().list())
                        .containsExactly(Checkpoints.name(trainer.step()));
            }
        }
        TinyRun.train(config);
        TinyRun.train(config(model, "whole").with(Map.of("save_every", 0), "test"));
        assertThat(folder.resolve("run/final/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/final/model.safetensors"));
    }

    @Test
    void aRunWhoseFolderIsTakenAwaySaysSo() throws IOException {
        Path model = model(DType.F32);
        Path run = folder.resolve("run");
        TrainConfig config = config(model, "run");
        TinyRun.Recorder mover = new TinyRun.Recorder() {
            @Override
            public void on(Event event) {
                if (event instanceof Event.Step step && step.step() == 3) {
                    try {
                        Files.move(run, folder.resolve("moved"));
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                }
            }
        };
        try (Engine engine = TinyRun.engine();
                Trainer trainer = TinyRun.trainer(engine, config, TinyRun.corpus(), mover)) {
            assertThatThrownBy(trainer::run)
                    .isInstanceOf(UserException.class)
                    .hasMessageContainingAll(run.toString(), "removed or moved", "at step 3");
        }
        assertThat(run).doesNotExist();
        TinyRun.train(config(model, "moved"));
        TinyRun.train(config(model, "whole"));
        assertSameEnd(folder.resolve("moved"), folder.resolve("whole"));
    }

    /** No step is made of damaged text, those before it are kept, and with the text mended the run ends as it would have. */
    @Test
    void textThatIsDamagedAmidARunStopsItAndCostsNothing() throws IOException {
        Path text = folder.resolve("text.txt");
        StringBuilder words = new StringBuilder();
        for (int i = 0; i < 3000; i++) {
            words.append("word").append(i * 7919 % 1000).append(' ');
        }
        Files.writeString(text, words);
        Path tokens = folder.resolve("tokens");
        new Preparation(
                        Corpus.of(List.of(text)),
                        new ByteTokenizer(),
                        new Preparation.Options(0.1, 1, 1 << 20, 1, Preparation.OnBadText.STOP),
                        (_, _, _) -> {})
                .run(tokens);
        Path model = model(DType.F32);
        TrainConfig whole = TinyRun.config(model, folder.resolve("whole"), Map.of("save_every", 0));
        TrainConfig damaged = TinyRun.config(model, folder.resolve("damaged"), Map.of("save_every", 0));
        train(whole, tokens, _ -> {});

        Path shard = tokens.resolve("train-00000.tokens");
        byte[] good = Files.readAllBytes(shard);
        byte[] bad = good.clone();
        for (int i = 100; i < bad.length; i += 1000) {
            bad[i] ^= 1;
        }
        assertThatThrownBy(() -> train(damaged, tokens, step -> {
                    if (step == 5) {
                        write(shard, bad);
                    }
                }))
                .isInstanceOf(UserException.class)
                .hasMessageContaining(shard + ": damaged");
        assertThat(folder.resolve("damaged/checkpoints").toFile().list()).containsExactly(Checkpoints.name(5));
        assertThat(folder.resolve("damaged/final")).doesNotExist();
        assertThatThrownBy(() -> train(damaged, tokens, _ -> {})).hasMessageContaining(shard + ": damaged");
        Files.write(shard, good);
        List<Long> steps = new ArrayList<>();
        train(damaged, tokens, steps::add);
        assertThat(steps).startsWith(6L);
        assertThat(folder.resolve("damaged/final/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/final/model.safetensors"));
    }

    private static void write(Path file, byte[] bytes) {
        try {
            Files.write(file, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void train(TrainConfig config, Path tokens, Consumer<Long> afterStep) {
        SequencedMap<String, TokenSource> heldOut = new LinkedHashMap<>();
        heldOut.put("valid", TokenDataset.open(tokens, TokenDataset.VALID, 256));
        Trainer.Corpus corpus = new Trainer.Corpus(
                new ShuffledSequences(TokenDataset.open(tokens, TokenDataset.TRAIN, 256), TinyRun.SEQUENCE, 3),
                heldOut,
                new ByteTokenizer());
        Listener listener = new TinyRun.Recorder() {
            @Override
            public void on(Event event) {
                if (event instanceof Event.Step step) {
                    afterStep.accept(step.step());
                }
            }
        };
        try (Engine engine = TinyRun.engine();
                Trainer trainer = TinyRun.trainer(engine, config, corpus, listener)) {
            trainer.run();
        }
    }
}
