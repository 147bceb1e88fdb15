package dev.whirlwind.training.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.optimizers.Schedule;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainConfigTest {
    @Test
    void survivesTheRoundTripThroughAMap() {
        TrainConfig config = TrainConfig.of(
                Map.of(
                        "model",
                        "m",
                        "data",
                        List.of("a", "b"),
                        "steps",
                        7,
                        "lr",
                        "5e-5",
                        "schedule",
                        "wsd",
                        "on_nan",
                        "skip",
                        "save_dtype",
                        "BF16",
                        "dropout",
                        0.25,
                        "recompute",
                        true),
                "test");
        assertThat(config.schedule().lr()).isEqualTo(5e-5);
        assertThat(config.data().data()).containsExactly("a", "b");
        assertThat(config.data().valid()).isEmpty();
        assertThat(config.schedule().schedule()).isEqualTo(Schedule.Shape.WSD);
        assertThat(config.saving().saveDtype()).isEqualTo(DType.BF16);
        assertThat(config.optimizer().beta1())
                .isEqualTo(TrainConfig.DEFAULTS.optimizer().beta1());
        assertThat(TrainConfig.of(config.toMap(), "test")).isEqualTo(config);
        assertThat(config.toMap()).containsEntry("schedule", "wsd").containsEntry("on_nan", "skip");
        assertThat(config.toMap().keySet()).startsWith("model", "data", "out", "valid", "held_out", "replay");
    }

    @ParameterizedTest
    @CsvSource({
        "lrr, 1, 'run.yaml: there is no option \"lrr\"; did you mean \"lr\"?'",
        "saveEvery, 1, did you mean \"save_every\"?",
        "lr, fast, run.yaml: lr is \"fast\"; it must be a number",
        "batch, 1.5, run.yaml: batch is \"1.5\"; it must be a whole number below 2^31",
        "batch, 0, run.yaml: batch is 0",
        "batch, , run.yaml: batch is null; it must be a whole number",
        "beta2, 1, run.yaml: beta2 is 1.0",
        "schedule, triangle, run.yaml: schedule is \"triangle\"",
        "on_nan, warn, run.yaml: on_nan is warn",
        "save_dtype, I32, run.yaml: save_dtype is I32",
        "min_lr, 1, run.yaml: min_lr is 1.0",
        "lr, 1e-50, run.yaml: lr is 1.0E-50; it must be above 0",
        "lr, .nan, run.yaml: lr",
        "lr, NaN, run.yaml: lr is NaN",
        "lr, Infinity, run.yaml: lr is Infinity",
        "min_lr, 1e-50, run.yaml: min_lr is 1.0E-50",
        "eps, 1e-50, run.yaml: eps is 1.0E-50; it must be above 0",
        "eps, 1e-40, run.yaml: eps is 1.0E-40; it must be above 0",
        "eps, Infinity, run.yaml: eps is Infinity",
        "beta1, 0.99999999, 'run.yaml: beta1 is 0.99999999; it must be from 0 to below 1, as a float'",
        "beta2, 0.99999999, run.yaml: beta2 is 0.99999999",
        "beta2, NaN, run.yaml: beta2 is NaN",
        "dropout, 0.99999999, run.yaml: dropout is 0.99999999",
        "clip, 1e-50, run.yaml: clip is 1.0E-50; it must be 0 for no clipping",
        "clip, Infinity, run.yaml: clip is Infinity",
        "clip, NaN, run.yaml: clip is NaN",
        "warmup, Infinity, run.yaml: warmup is Infinity",
        "decay, NaN, run.yaml: decay is NaN",
        "epochs, Infinity, run.yaml: epochs is Infinity",
        "spike_sigma, Infinity, run.yaml: spike_sigma is Infinity",
        "weight_decay, -0.1, run.yaml: weight_decay is -0.1",
        "held_out, NaN, run.yaml: held_out is NaN",
        "schedule, , 'run.yaml: schedule is null; it must be cosine'",
        "on_spike, , 'run.yaml: on_spike is null; it must be ignore'",
    })
    void whatIsWrongIsNamed(String option, String value, String message) {
        Map<String, String> options = new HashMap<>();
        options.put(option, value);
        assertThatThrownBy(() -> TrainConfig.of(options, "run.yaml"))
                .isInstanceOf(UserException.class)
                .hasMessageContaining(message);
    }

    @Test
    void whatDoesNotGoTogetherIsNamed() {
        assertThatThrownBy(() -> TrainConfig.of(Map.of("schedule", "infinite", "min_lr", 0), "test"))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("min_lr is 0.0; it must be above 0 for the schedule infinite");
        assertThat(TrainConfig.of(Map.of("schedule", "infinite"), "test")
                        .schedule()
                        .over(100)
                        .min())
                .isGreaterThan(0);
        assertThat(TrainConfig.of(Map.of("schedule", "wsd", "min_lr", 0), "test")
                        .schedule()
                        .minLr())
                .isZero();
        assertThatThrownBy(() -> TrainConfig.of(Map.of("lr", 5, "weight_decay", 0.5), "test"))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("lr times weight_decay is 2.5");
    }

    @Test
    void logsMayBeNamedWithCommas() {
        assertThat(TrainConfig.DEFAULTS.watching().logTo()).containsExactly("tensorboard");
        assertThat(TrainConfig.of(Map.of("log_to", "csv,tensorboard"), "test")
                        .watching()
                        .logTo())
                .containsExactly("csv", "tensorboard");
        assertThat(TrainConfig.of(Map.of("log_to", List.of("none")), "test")
                        .watching()
                        .logTo())
                .isEmpty();
        for (String wrong : List.of("wandb", "csv,none", "")) {
            assertThatThrownBy(() -> TrainConfig.of(Map.of("log_to", List.of(wrong)), "test"))
                    .hasMessageContaining("log_to is " + wrong)
                    .hasMessageContaining("tensorboard, csv or both, or none");
        }
    }

    /** Options are free to change in a run under way, or recorded with its checkpoints. */
    @Test
    void everyOptionIsFreeOrLasting() {
        assertThat(TrainConfig.DEFAULTS.toMap().keySet())
                .isEqualTo(Options.all().keySet());
        List<String> free = Options.all().values().stream()
                .filter(Options.Entry::isFree)
                .map(Options.Entry::name)
                .toList();
        assertThat(free)
                .containsExactly(
                        "model",
                        "data",
                        "out",
                        "valid",
                        "replay",
                        "eval",
                        "save_every",
                        "keep",
                        "log",
                        "sample_every",
                        "sample_prompts",
                        "sample_tokens",
                        "sample_temperature",
                        "log_to",
                        "recompute",
                        "recompute_part",
                        "recompute_every",
                        "no_plan",
                        "engine",
                        "device",
                        "threads");
        assertThat(TrainConfig.DEFAULTS.lasting()).doesNotContainKeys(free.toArray(new String[0]));
        assertThat(TrainConfig.DEFAULTS.lasting()).containsKeys("steps", "lr", "schedule", "warmup", "save_dtype");
    }

    @Test
    void pathsAreNamesThatFilesCanHave() {
        for (String option : List.of("model", "out", "data", "valid", "replay")) {
            boolean one = option.equals("model") || option.equals("out");
            assertThatThrownBy(() -> TrainConfig.of(Map.of(option, one ? "a\0b" : List.of("a", "a\0b")), "test"))
                    .isInstanceOf(UserException.class)
                    .hasMessageStartingWith("test: " + option)
                    .hasMessageContaining("no file can be called");
        }
        for (String option : List.of("data", "valid", "replay")) {
            assertThatThrownBy(() -> TrainConfig.of(Map.of(option, Arrays.asList("a", null)), "test"))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("a path, or a list of paths");
            Map<String, Object> none = new HashMap<>();
            none.put(option, null);
            assertThat(TrainConfig.of(none, "test")).isEqualTo(TrainConfig.DEFAULTS);
        }
        assertThat(Options.find("eval_batches")).isPresent();
        assertThat(Options.find("eval_windows")).isPresent();
        assertThat(Options.find("windows")).isEmpty();
    }

    @Test
    void theRunsLengthIsGivenOnce() {
        for (Map<String, Integer> twice : List.of(
                Map.of("steps", 1, "epochs", 2), Map.of("steps", 1, "tokens", 2), Map.of("epochs", 1, "tokens", 2))) {
            assertThatThrownBy(() -> TrainConfig.of(twice, "test")).hasMessageContaining("keep one");
        }
        Map<String, Integer> geometry = Map.of("batch", 4, "accumulation", 3);
        TrainConfig config = TrainConfig.of(geometry, "test");
        assertThat(config.length().totalSteps(120, 10)).isEqualTo(10);
        assertThat(config.with(Map.of("epochs", 2.5), "test").length().totalSteps(120, 10))
                .isEqualTo(25);
        assertThat(config.with(Map.of("tokens", 1201), "test").length().totalSteps(120, 10))
                .isEqualTo(11);
        assertThat(config.with(Map.of("steps", 3), "test").length().totalSteps(120, 10))
                .isEqualTo(3);
    }

    /** As transformers' Trainer: what does not fill a batch is read all the same. */
    @Test
    void epochsLeaveNothingOut() {
        TrainConfig config = TrainConfig.of(Map.of("batch", 8), "test");
        assertThat(config.length().totalSteps(11, 48)).isEqualTo(2);
        assertThat(config.length().totalSequences(11)).isEqualTo(11);
        assertThat(config.with(Map.of("epochs", 3), "test").length().totalSteps(11, 48))
                .isEqualTo(5);
        assertThat(config.with(Map.of("epochs", 0.01), "test").length().totalSteps(11, 48))
                .isEqualTo(1);
        assertThat(config.with(Map.of("epochs", 1e300), "test").length().totalSteps(11, 48))
                .isPositive();
    }

    @Test
    void warmUpIsStepsOrAFraction() {
        assertThat(TrainConfig.of(Map.of("warmup", 0.1), "test")
                        .schedule()
                        .over(200)
                        .warmup())
                .isEqualTo(20);
        assertThat(TrainConfig.of(Map.of("warmup", 7), "test")
                        .schedule()
                        .over(200)
                        .warmup())
                .isEqualTo(7);
        assertThat(TrainConfig.of(Map.of("warmup", 1), "test")
                        .schedule()
                        .over(200)
                        .warmup())
                .isEqualTo(1);
        assertThat(TrainConfig.DEFAULTS.schedule().over(200).min()).isEqualTo(1e-5);
    }

    @Test
    void sequencesAreAsLongAsTheModelAllowsUpToALength() {
        assertThat(TrainConfig.DEFAULTS.length().sequenceLength(512)).isEqualTo(512);
        assertThat(TrainConfig.DEFAULTS.length().sequenceLength(4096)).isEqualTo(1024);
        assertThat(TrainConfig.of(Map.of("sequence", 2048), "test").length().sequenceLength(4096))
                .isEqualTo(2048);
    }

    @Test
    void evaluationWindowsHadAnotherName() {
        assertThat(TrainConfig.of(Map.of("eval_batches", 3), "test")
                        .evaluation()
                        .evalWindows())
                .isEqualTo(24);
        assertThat(TrainConfig.of(Map.of("eval_batches", 0), "test")
                        .evaluation()
                        .evalWindows())
                .isZero();
        assertThatThrownBy(() -> TrainConfig.of(Map.of("eval_batches", "many"), "test"))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("eval_windows is ");
        assertThatThrownBy(() -> TrainConfig.of(Map.of("eval_batches", Integer.MAX_VALUE), "test"))
                .isInstanceOf(UserException.class);
    }

    /** The last values that are allowed, and the first that are not. */
    @ParameterizedTest
    @CsvSource({
        "held_out, 0, -0.001",
        "held_out, 0.999, 1",
        "replay_fraction, 0, -0.001",
        "replay_fraction, 0.999, 1",
        "steps, 1, 0",
        "epochs, 0.001, 0",
        "tokens, 1, 0",
        "batch, 1, 0",
        "sequence, 2, 1",
        "sequence, 0, -1",
        "accumulation, 1, 0",
        "lr, 9.99, 10",
        "lr, 1e-30, 0",
        "lr, 1.1754943508222875E-38, 1.1754E-38",
        "min_lr, 1.1754943508222875E-38, 1.1754E-38",
        "min_lr, 0, -1e-9",
        "min_lr, 1e-4, 1.1e-4",
        "warmup, 0, -0.1",
        "decay, 0, -0.1",
        "weight_decay, 0, -0.1",
        "weight_decay, 9.99, 10",
        "beta1, 0, -0.1",
        "beta1, 0.999, 1",
        "beta2, 0, -0.1",
        "beta2, 0.999, 1",
        "eps, 1e-30, 0",
        "eps, 1.1754943508222875E-38, 1.1754E-38",
        "eps, 3.4028234663852886E38, 3.41E38",
        "clip, 1.1754943508222875E-38, 1.1754E-38",
        "clip, 3.4028234663852886E38, 3.41E38",
        "clip, 0, -0.1",
        "dropout, 0, -0.1",
        "dropout, 0.999, 1",
        "eval_every, 0, -1",
        "eval_windows, 0, -1",
        "patience, 0, -1",
        "save_every, 0, -1",
        "keep, 0, -1",
        "spike_sigma, 0.1, 0",
        "shard_bytes, 1, 0",
        "threads, 0, -1"
    })
    void everyNumberHasItsRange(String option, String good, String bad) {
        assertThat(TrainConfig.of(Map.of(option, number(good)), "test")).isNotNull();
        assertThatThrownBy(() -> TrainConfig.of(Map.of(option, number(bad)), "test"))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith("test: " + option + " is ");
    }

    private static Object number(String text) {
        if (text.matches("-?\\d+")) {
            return Integer.valueOf(text);
        }
        return Double.valueOf(text);
    }
}
