package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.TrainingSequences;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.checkpoints.Checkpoints;
import dev.whirlwind.training.checkpoints.TrainerState;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.evaluation.Evaluation;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Json;
import dev.whirlwind.training.metrics.Metrics;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrainerTest {
    private static final int POISON = 99;

    @TempDir
    Path folder;

    /** What is trained now. */
    private Parameters weights;

    /** Six sequences a step; in the given steps (from 1) they hold a token whose embedding is not a number then. */
    private Trainer.Corpus poisoned(long... steps) {
        TrainingSequences training = new TrainingSequences() {
            @Override
            public int sequence() {
                return TinyRun.SEQUENCE;
            }

            @Override
            public long perEpoch() {
                return 100;
            }

            @Override
            public void read(long position, int[] tokens, int[] targets, int offset) {
                for (int i = 0; i < sequence(); i++) {
                    tokens[offset + i] = (int) (position + i) % 50;
                    targets[offset + i] = (int) (position + i + 1) % 50;
                }
                if (position % 6 == 4 && Arrays.stream(steps).anyMatch(step -> step == position / 6 + 1)) {
                    tokens[offset + 3] = POISON;
                    setPoison(Float.NaN);
                }
            }
        };
        SequencedMap<String, TokenSource> heldOut = new LinkedHashMap<>();
        heldOut.put(
                "domain",
                TokenSource.of("domain", IntStream.range(0, 60).map(i -> i % 50).toArray(), 60, 256));
        return new Trainer.Corpus(training, heldOut, new ByteTokenizer());
    }

    private TrainConfig config(Map<String, ?> changes) throws IOException {
        Path model = TinyRun.llama(folder.resolve("model"), weights -> {});
        return TinyRun.config(model, folder.resolve("run"), changes);
    }

    private void setPoison(float value) {
        long place = (long) POISON * weights.config().hiddenSize();
        weights.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, place, value);
    }

    private TinyRun.Recorder train(TrainConfig config, Trainer.Corpus corpus) {
        TinyRun.Recorder recorder = new TinyRun.Recorder() {
            @Override
            public void on(Event event) {
                super.on(event);
                if (event instanceof Event.Anomaly) {
                    setPoison(0);
                }
            }
        };
        try (Engine engine = TinyRun.engine();
                Trainer trainer = TinyRun.trainer(engine, config, corpus, recorder)) {
            weights = trainer.weights();
            trainer.run();
        }
        return recorder;
    }

    private static <E extends Event> List<E> only(Class<E> kind, List<Event> events) {
        return events.stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    @Test
    void aLossThatIsNoNumberStopsTheRunBeforeItHarms() throws IOException {
        TrainConfig config = config(Map.of());
        assertThatThrownBy(() -> train(config, poisoned(5)))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("stopped at step 5", "NaN", "step-00000004, is untouched");
        List<Event> events = Metrics.read(folder.resolve("run/metrics.jsonl"));
        assertThat(events.getLast()).isInstanceOf(Event.Anomaly.class);
        // With better data the run goes on from there.
        TinyRun.Recorder recorder = train(config, poisoned());
        assertThat(recorder.events.getFirst().step()).isEqualTo(5);
    }

    @Test
    void orLeavesTheStepOut() throws IOException {
        TinyRun.Recorder recorder = train(config(Map.of("on_nan", "skip")), poisoned(2, 5));
        assertThat(only(Event.Anomaly.class, recorder.events))
                .extracting(Event.Anomaly::step, Event.Anomaly::action)
                .containsExactly(tuple(2L, "skip"), tuple(5L, "skip"));
        List<Event.Eval> evals = only(Event.Eval.class, recorder.events);
        assertThat(evals.getLast().loss()).isLessThan(evals.getFirst().loss() - 0.5);
        Path last = folder.resolve("run/checkpoints/" + Checkpoints.name(TinyRun.STEPS));
        TrainerState state =
                Json.MAPPER.readValue(last.resolve(TrainerState.NAME).toFile(), TrainerState.class);
        assertThat(state.updates).isEqualTo(TinyRun.STEPS - 2);
        assertThat(state.step).isEqualTo(TinyRun.STEPS);
    }

    @Test
    void alsoWhereUpdatesAreDoneInTheBackwardPass() throws IOException {
        Map<String, Object> options =
                Map.of("on_nan", "skip", "accumulation", 1, "batch", 6, "update_in_backward", true);
        TinyRun.Recorder recorder = train(config(options), poisoned(2, 5));
        assertThat(only(Event.Anomaly.class, recorder.events))
                .extracting(Event.Anomaly::step, Event.Anomaly::action)
                .containsExactly(tuple(2L, "skip"), tuple(5L, "skip"));
        assertThat(last("run", TinyRun.STEPS).updates).isEqualTo(TinyRun.STEPS - 2);
        List<Event.Eval> evals = only(Event.Eval.class, recorder.events);
        assertThat(evals.getLast().loss()).isLessThan(evals.getFirst().loss() - 0.5);
    }

    @Test
    void butNotForEver() throws IOException {
        long[] always = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
        TrainConfig config = config(Map.of("on_nan", "skip", "steps", 16));
        assertThatThrownBy(() -> train(config, poisoned(always))).hasMessageContaining("after 10 skipped steps");
    }

    @Test
    void theRunEndsWhenNothingImproves() throws IOException {
        TrainConfig config = config(Map.of(
                "steps", 100, "eval_every", 1, "patience", 3, "lr", 0.3, "schedule", "constant", "save_every", 0));
        List<Event.Eval> evals = only(Event.Eval.class, train(config, poisoned()).events);
        assertThat(evals.size()).isBetween(5, 100);
        double best = evals.stream().skip(1).mapToDouble(Event.Eval::loss).min().orElseThrow();
        assertThat(evals.get(evals.size() - 4).loss()).isEqualTo(best);
        assertThat(loss(folder.resolve("run/best"))).isCloseTo(best, within(1e-12));
        assertThat(loss(folder.resolve("run/final"))).isCloseTo(evals.getLast().loss(), within(1e-12));
    }

    /** Also when the last step falls on an interval, is resumed after, becomes an earlier one, or was asked for. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 7})
    void aStepIsEvaluatedAndSavedAsBestOnce(int every) throws IOException {
        Map<String, Object> options = Map.of("steps", 4, "eval_every", every, "save_every", 2, "schedule", "constant");
        train(config(options), poisoned());
        train(config(options), poisoned());
        Files.createFile(folder.resolve("run/evaluate-now"));
        train(config(options).with(Map.of("steps", 6), "test"), poisoned());
        List<Event> events = Metrics.read(folder.resolve("run/metrics.jsonl"));
        assertThat(only(Event.Eval.class, events))
                .extracting(eval -> eval.step() + eval.name())
                .doesNotHaveDuplicates()
                .contains("0domain", "4domain", "6domain");
        assertThat(only(Event.Saved.class, events).stream()
                        .map(saved -> saved.step() + saved.path())
                        .filter(saved -> !saved.endsWith("final")))
                .doesNotHaveDuplicates()
                .contains("4best");
    }

    /** The loss on the held-out text of a saved model. */
    private double loss(Path model) {
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(model)), "weights");
            HuggingFace.load(model, weights);
            TokenSource text = poisoned().heldOut().firstEntry().getValue();
            return Evaluation.of(
                            Transformer.forEvaluation(engine, weights, 2, TinyRun.SEQUENCE),
                            new EvaluationWindows(text, TinyRun.SEQUENCE, Convention.OVERLAPPING, 4))
                    .meanNll();
        }
    }

    @Test
    void accumulationIsTheMeanOverAllTokensOfTheStep() throws IOException {
        Map<String, Object> once = Map.of(
                "batch",
                6,
                "accumulation",
                1,
                "dropout",
                0,
                "out",
                folder.resolve("a").toString());
        Map<String, Object> thrice = Map.of(
                "batch",
                2,
                "accumulation",
                3,
                "dropout",
                0,
                "out",
                folder.resolve("b").toString());
        List<Event.Step> a = only(Event.Step.class, train(config(once), poisoned()).events);
        List<Event.Step> b = only(Event.Step.class, train(config(thrice), poisoned()).events);
        for (int i = 0; i < a.size(); i++) {
            assertThat(b.get(i).loss()).isCloseTo(a.get(i).loss(), within(1e-5));
            assertThat(b.get(i).gradNorm()).isCloseTo(a.get(i).gradNorm(), within(1e-5));
            assertThat(b.get(i).lr()).isEqualTo(a.get(i).lr());
            assertThat(b.get(i).tokens())
                    .isEqualTo(54L * (i + 1))
                    .isEqualTo(a.get(i).tokens());
        }
    }

    /** 100 sequences in steps of 6: the last step has 4, and weighs each of them as it would in a full one. */
    @Test
    void theLastStepOfAnEpochReadsWhatIsLeft() throws IOException {
        Map<String, Object> epoch = new HashMap<>(Map.of("epochs", 1, "batch", 6, "accumulation", 1, "dropout", 0));
        epoch.put("steps", null);
        epoch.put("out", folder.resolve("a").toString());
        List<Event.Step> steps = only(Event.Step.class, train(config(epoch), poisoned()).events);
        assertThat(steps).hasSize(17);
        assertThat(steps.get(15).tokens()).isEqualTo(96 * TinyRun.SEQUENCE);
        assertThat(steps.get(16).tokens()).isEqualTo(100 * TinyRun.SEQUENCE);
        epoch.put("batch", 4);
        epoch.put("accumulation", 2);
        epoch.put("out", folder.resolve("b").toString());
        List<Event.Step> other = only(Event.Step.class, train(config(epoch), poisoned()).events);
        assertThat(other).hasSize(13);
        assertThat(other.getLast().tokens()).isEqualTo(100 * TinyRun.SEQUENCE);

        // Two steps of 2 sequences and 1 are the same, whatever the batch has room for.
        TrainingSequences three = new Few(poisoned().training(), 3);
        for (int batch : new int[] {1, 2}) {
            epoch.put("batch", batch);
            epoch.put("accumulation", 2 / batch);
            epoch.put("out", folder.resolve("three" + batch).toString());
            train(config(epoch), new Trainer.Corpus(three, poisoned().heldOut(), new ByteTokenizer()));
        }
        List<Event.Step> one = only(Event.Step.class, Metrics.read(folder.resolve("three1/metrics.jsonl")));
        List<Event.Step> two = only(Event.Step.class, Metrics.read(folder.resolve("three2/metrics.jsonl")));
        assertThat(one).hasSize(2);
        for (int i = 0; i < 2; i++) {
            assertThat(two.get(i).loss()).isCloseTo(one.get(i).loss(), within(1e-5));
            assertThat(two.get(i).gradNorm()).isCloseTo(one.get(i).gradNorm(), within(1e-5));
        }
    }

    /** The first sequences of others. */
    private record Few(TrainingSequences all, long perEpoch) implements TrainingSequences {
        @Override
        public int sequence() {
            return all.sequence();
        }

        @Override
        public void read(long position, int[] tokens, int[] targets, int offset) {
            assertThat(position).isLessThan(perEpoch);
            all.read(position, tokens, targets, offset);
        }
    }

    @Test
    void aCheckpointIsACompleteModelFolder() throws IOException {
        TrainConfig config = TinyRun.config(
                TinyRun.gpt2(folder.resolve("gpt2"), DType.F16), folder.resolve("run"), Map.of("steps", 1));
        TinyRun.train(config);
        Path checkpoint = folder.resolve("run/checkpoints/step-00000001");
        assertThat(Storage.list(checkpoint))
                .extracting(path -> path.getFileName().toString())
                .contains("config.json", "model.safetensors", "tokenizer.json", "generation_config.json")
                .contains("optimizer.safetensors", "trainer_state.json", "manifest.json");
        assertThat(Storage.list(folder.resolve("run/final")))
                .extracting(path -> path.getFileName().toString())
                .contains("config.json", "model.safetensors", "tokenizer.json", "generation_config.json")
                .doesNotContain("optimizer.safetensors");
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(checkpoint)), "weights");
            assertThat(HuggingFace.load(checkpoint, weights)).isEqualTo(DType.F16);
        }
    }

    /** Trains one step more than was, after which the embedding of a token that no text has holds a value. */
    private List<String> trainWith(float value, TrainConfig config) {
        TinyRun.Recorder recorder = new TinyRun.Recorder();
        try (Engine engine = TinyRun.engine();
                Trainer trainer = TinyRun.trainer(engine, config, poisoned(), recorder)) {
            weights = trainer.weights();
            setPoison(value);
            trainer.run();
        }
        return recorder.notes;
    }

    /** An F16 model whose weights outgrow F16 is saved as F32, and stays so; nothing is lost, and it is said. */
    @ParameterizedTest
    @CsvSource({"F16, 65519, F16", "F16, 70000, F32", "BF16, 70000, BF16", "BF16, 3.4e38, F32", "F32, 3.4e38, F32"})
    void weightsThatOutgrowTheirType(DType dtype, float value, DType saved) throws IOException {
        Path model = TinyRun.llama(folder.resolve("model"), weights -> {});
        Path run = folder.resolve("run");
        TrainConfig config = TinyRun.config(model, run, Map.of("steps", 2, "save_dtype", dtype.name()));
        List<String> notes = trainWith(value, config);
        assertThat(notes.stream().filter(note -> note.contains("saved as F32 instead of " + dtype)))
                .hasSize(saved == dtype ? 0 : 1)
                .allSatisfy(note -> assertThat(note).contains("model.embed_tokens.weight"));
        for (String folder : new String[] {"checkpoints/step-00000001", "checkpoints/step-00000002", "final"}) {
            assertThat(savedType(run.resolve(folder), value)).isEqualTo(saved);
        }
        // A resumed run does as one that was never stopped: what is wide once stays so.
        deleteAll(run.resolve("checkpoints/step-00000002"));
        deleteAll(run.resolve("final"));
        assertThat(trainWith(1, config)).noneMatch(note -> note.contains("instead of"));
        assertThat(savedType(run.resolve("final"), 1)).isEqualTo(saved);
    }

    private DType savedType(Path model, float value) throws IOException {
        try (Engine engine = TinyRun.engine()) {
            HuggingFace.Loaded loaded = HuggingFace.load(engine, model, ModelConfig.read(model), note -> {});
            float poison = loaded.weights()
                    .buffer()
                    .segment()
                    .getAtIndex(
                            ValueLayout.JAVA_FLOAT,
                            (long) POISON * weights.config().hiddenSize());
            assertThat(poison).isCloseTo(value, withinPercentage(1));
            return loaded.dtype();
        }
    }

    private static void deleteAll(Path folder) throws IOException {
        for (Path file : Storage.list(folder)) {
            Files.delete(file);
        }
        Files.delete(folder);
    }

    /** Such a checkpoint would push out the last good one. */
    @Test
    void weightsThatAreNoNumbersAreNotSaved() throws IOException {
        Path model = TinyRun.llama(folder.resolve("model"), weights -> {});
        Path run = folder.resolve("run");
        TrainConfig config = TinyRun.config(model, run, Map.of("steps", 3));
        train(config, poisoned());
        deleteAll(run.resolve("checkpoints/step-00000003"));
        assertThatThrownBy(() -> trainWith(Float.NaN, config))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("stopped at step 3", "model.embed_tokens.weight", "1 of 2048 values")
                .hasMessageContaining("step-00000002, is untouched");
        assertThat(run.resolve("checkpoints/step-00000002")).exists();
        assertThat(run.resolve("checkpoints/step-00000003")).doesNotExist();
    }

    /** Ten bad steps, a good one, ten bad ones: never more than ten in a row. */
    @Test
    void onlySkipsInARowAreTooMany() throws IOException {
        long[] bad = IntStream.rangeClosed(1, 21)
                .filter(step -> step != 11)
                .mapToLong(step -> step)
                .toArray();
        TinyRun.Recorder recorder = train(config(Map.of("on_nan", "skip", "steps", 23)), poisoned(bad));
        assertThat(only(Event.Anomaly.class, recorder.events)).hasSize(20);
        assertThat(last("run", 23).updates).isEqualTo(3);
    }

    private TrainerState last(String run, int steps) {
        Path checkpoint = folder.resolve(run).resolve("checkpoints").resolve(Checkpoints.name(steps));
        return Json.MAPPER.readValue(checkpoint.resolve(TrainerState.NAME).toFile(), TrainerState.class);
    }

    /** The loss has become small and still when one step brings quite other text. */
    private static Trainer.Corpus surprising(int step) {
        TrainingSequences training = new TrainingSequences() {
            @Override
            public int sequence() {
                return TinyRun.SEQUENCE;
            }

            @Override
            public long perEpoch() {
                return 1000;
            }

            @Override
            public void read(long position, int[] tokens, int[] targets, int offset) {
                int other = position / 6 + 1 == step ? 17 : 0;
                for (int i = 0; i < sequence(); i++) {
                    tokens[offset + i] = (int) (i + position) % 4;
                    targets[offset + i] = (int) (i + position + 1) % 4 + other;
                }
            }
        };
        return new Trainer.Corpus(training, new LinkedHashMap<>(), new ByteTokenizer());
    }

    private TinyRun.Recorder surprised(String name, Map<String, ?> changes) throws IOException {
        Map<String, Object> all = new LinkedHashMap<>(changes);
        all.putAll(Map.of("steps", 32, "save_every", 0, "lr", 0.05));
        all.put("out", folder.resolve(name).toString());
        TinyRun.Recorder recorder = new TinyRun.Recorder();
        try (Engine engine = TinyRun.engine();
                Trainer trainer = TinyRun.trainer(engine, config(all), surprising(30), recorder)) {
            trainer.run();
        }
        return recorder;
    }

    @Test
    void aJumpOfTheLossIsWarnedOfOrLeftOut() throws IOException {
        Map<String, TinyRun.Recorder> runs = new LinkedHashMap<>();
        for (String remedy : List.of("ignore", "warn", "skip")) {
            runs.put(remedy, surprised(remedy, Map.of("on_spike", remedy)));
        }
        assertThat(only(Event.Anomaly.class, runs.get("ignore").events)).isEmpty();
        for (String remedy : List.of("warn", "skip")) {
            assertThat(only(Event.Anomaly.class, runs.get(remedy).events))
                    .extracting(Event.Anomaly::step, Event.Anomaly::action)
                    .containsExactly(tuple(30L, remedy));
        }
        // A warning changes nothing.
        Path ignored = folder.resolve("ignore/final/model.safetensors");
        assertThat(folder.resolve("warn/final/model.safetensors")).hasSameBinaryContentAs(ignored);
        assertThat(last("warn", 32).updates).isEqualTo(32);
        assertThat(last("skip", 32).updates).isEqualTo(31);
        // What was left out does not count as what the loss has been lately.
        assertThat(last("skip", 32).lossGuard.count).isEqualTo(31);
        assertThat(last("skip", 32).lossGuard.mean).isLessThan(last("warn", 32).lossGuard.mean - 0.1);

        assertThatThrownBy(() -> surprised("stop", Map.of("on_spike", "stop")))
                .hasMessageContainingAll("stopped at step 30", "the loss jumped");
        assertThat(surprised("tolerant", Map.of("on_spike", "stop", "spike_sigma", 1000)).events)
                .noneMatch(Event.Anomaly.class::isInstance);
    }
}
