package dev.whirlwind.training.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.Precision;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.optimizers.Schedule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class OptionsTest {
    /** After a change of an option: -Dwhirlwind.write.docs=true writes these pages anew. */
    @Test
    void thePageOfOptionsIsMadeOfTheirDeclarations() throws IOException {
        isMade("options.md", options());
    }

    @Test
    void thePageOfTransformersNamesIsMadeOfTheAliases() throws IOException {
        isMade("from-transformers.md", aliases());
    }

    private static void isMade(String name, String page) throws IOException {
        Path file = Path.of("../docs").resolve(name);
        if (Boolean.getBoolean("whirlwind.write.docs")) {
            Files.writeString(file, page);
        }
        assertThat(file).content().isEqualTo(page);
    }

    private static String aliases() {
        StringBuilder page = new StringBuilder("""
                # From transformers to Whirlwind

                What `run_clm.py` and `TrainingArguments` call it, and what it is here. These names are read as ours, on the
                command line of `train` and in YAML, with underscores or dashes. A base model continues as it would there; where
                defaults differ, [options.md](options.md) has ours. This page is made of the program's own table.

                | transformers | here | |
                |---|---|---|
                """);
        Aliases.all()
                .values()
                .forEach(alias -> page.append("| `%s` | `%s` | %s |%n"
                        .formatted(alias.name(), alias.option(), alias.remark() == null ? "" : alias.remark())));
        page.append("\nThese are refused, with an answer:\n\n| transformers | here |\n|---|---|\n");
        Aliases.answers().forEach((name, answer) -> page.append("| `%s` | %s |%n".formatted(name, answer)));
        return page.toString();
    }

    private static String options() {
        StringBuilder page = new StringBuilder("""
                # Options of a run

                For `train`, on the command line (`--min-lr 1e-5`) or in a YAML file for `--config` (`min_lr: 1e-5`), there by
                itself or under the name of its section. Free options may be changed in the `config.yaml` of a run that is under
                way; the others decide what it becomes. This page is made of the options' declarations.
                """);
        for (String section : Options.sectionNames()) {
            page.append("\n## ").append(section).append("\n\n| option | default | what it is |\n|---|---|---|\n");
            for (Options.Entry option : Options.all().values()) {
                if (option.section().equals(section)) {
                    String value = option.defaultText().isEmpty() ? "" : "`" + option.defaultText() + "`";
                    page.append("| `%s` | %s | %s%s |%n"
                            .formatted(option.name(), value, option.help(), option.isFree() ? " (free)" : ""));
                }
            }
        }
        return page.toString();
    }

    @Test
    void everyOptionIsExplained() {
        assertThat(Options.all().values()).allSatisfy(option -> {
            assertThat(option.help()).as(option.name()).endsWith(".").hasSizeGreaterThan(20);
            assertThat(option.label()).isNotEmpty();
            assertThat(option.name()).matches("[a-z0-9_]+");
        });
        assertThat(Options.sectionNames())
                .isEqualTo(List.of(
                        "data",
                        "length",
                        "schedule",
                        "optimizer",
                        "adapter",
                        "regularisation",
                        "evaluation",
                        "saving",
                        "watching",
                        "memory",
                        "engine"));
    }

    /** A value of an option's that is not what it is by default, as it would be given. */
    private static Object another(Options.Entry option) {
        Object usual = option.defaultValue();
        for (Object value : List.of(true, 1e-6, 3, "bf16", "int8", "exponential", "pissa", "mlp", "x", List.of("x"))) {
            try {
                if (!option.read(value).equals(usual)) {
                    return value;
                }
            } catch (UserException _) {
                // Of another kind.
            }
        }
        throw new AssertionError(option.name() + ": no value fits");
    }

    /** A value that does what another option needs. */
    private static Object fitting(Need need) {
        Options.Entry option = Options.all().get(need.option());
        Object value = need.value() == null || need.other() ? another(option) : need.value();
        return option.type().isEnum() && need.other()
                ? Arrays.stream(option.type().getEnumConstants())
                        .map(Object::toString)
                        .filter(name -> !Need.plain(name).equals(Need.plain(need.value())))
                        .findFirst()
                        .orElseThrow()
                : value;
    }

    /** The error or the note. */
    private static String told(TrainConfig config, List<String> names) {
        List<String> notes = new ArrayList<>();
        try {
            config.requireEffect(names, notes::add);
        } catch (UsageException e) {
            notes.add(e.getMessage());
        }
        assertThat(notes).hasSize(1);
        return notes.getFirst();
    }

    private static void fail(String note) {
        throw new AssertionError(note);
    }

    /** Of each that has an effect beside another only: alone it is refused in a line, beside each of them it is not. */
    @Test
    void whatHasNoEffectIsRefused() {
        List<String> seen = new ArrayList<>();
        for (Options.Entry option : Options.all().values()) {
            if (option.needs().isEmpty()) {
                continue;
            }
            seen.add(option.name());
            List<String> names = List.of(option.name());
            assertThat(option.needs())
                    .allSatisfy(
                            need -> assertThat(Options.all()).as(option.name()).containsKey(need.option()));
            Map<String, Object> without = new HashMap<>();
            for (Need need : option.needs()) {
                Options.Entry needed = Options.all().get(need.option());
                Object none = need.value() == null
                        ? Map.<Class<?>, Object>of(double.class, 0, long.class, 0, boolean.class, false)
                                .get(needed.type())
                        : need.other() ? need.value() : needed.type().isEnum() ? "constant" : "loops";
                without.put(needed.name(), needed.name().equals("optimizer") && !need.other() ? "adafactor" : none);
            }
            TrainConfig usual = of(without);
            usual.requireEffect(names, OptionsTest::fail);
            TrainConfig alone = usual.with(Map.of(option.name(), another(option)), "test");
            assertThat(told(alone, names))
                    .as(option.name())
                    .startsWith(option.name() + " only has an effect with ")
                    .contains(option.needs().getFirst().option())
                    .endsWith(Need.byValue(option.needs()) ? ", so it has none" : " or leave " + option.name() + " out")
                    .hasLineCount(1);
            // What was not asked for, as of a run of before, is left as it is.
            alone.requireEffect(List.of("lr"), OptionsTest::fail);
            for (Need need : option.needs()) {
                Map<String, Object> beside = new HashMap<>(without);
                beside.put(need.option(), fitting(need));
                beside.put(option.name(), another(option));
                of(beside).requireEffect(names, OptionsTest::fail);
            }
        }
        assertThat(seen)
                .contains("temperature", "distill", "lora_alpha", "momentum", "fall", "min_lr", "replay", "patience");
        assertThat(Options.all().get("fall").help()).endsWith(" Only with --schedule wsd.");
        assertThat(Options.all().get("min_lr").help()).endsWith(" Default: a tenth of --lr.");
        assertThat(told(of(Map.of("schedule", "constant", "min_lr", 0)), List.of("min_lr")))
                .isEqualTo("min_lr only has an effect with another schedule than constant, so it has none");
        assertThat(Options.all().get("decay").help()).endsWith(" Only with --schedule wsd or infinite.");
    }

    @Test
    void valuesOfAnEnumAreNamed() {
        assertThat(Options.all().get("schedule").choices())
                .isEqualTo("cosine, linear, constant, wsd, infinite or inverseSqrt");
    }

    @Test
    void namesOfTransformersAreReadAsOurs() {
        assertThat(Aliases.all().values())
                .allSatisfy(alias -> assertThat(Options.all())
                        .as(alias.name())
                        .containsKey(alias.option())
                        .doesNotContainKey(alias.name()));
        assertThat(Aliases.answers()).doesNotContainKeys(Options.all().keySet().toArray(new String[0]));
        assertThat(of(Map.of(
                        "learning_rate",
                        "2e-5",
                        "num_train_epochs",
                        3.0,
                        "max_steps",
                        -1,
                        "per_device_train_batch_size",
                        "4",
                        "warmup_ratio",
                        0.03,
                        "lr_scheduler_type",
                        "constant_with_warmup",
                        "gradient_checkpointing",
                        "True",
                        "save_total_limit",
                        3,
                        "validation_split_percentage",
                        5,
                        "train_file",
                        "a.txt")))
                .isEqualTo(of(Map.of(
                        "lr",
                        2e-5,
                        "epochs",
                        3,
                        "batch",
                        4,
                        "warmup",
                        0.03,
                        "schedule",
                        "constant",
                        "recompute",
                        true,
                        "keep",
                        3,
                        "held_out",
                        0.05,
                        "data",
                        List.of("a.txt"))));
        assertThat(of(Map.of("bf16", true)).engine().precision()).isEqualTo(Precision.BF16);
        assertThat(of(Map.of("fp16", "False")).engine().precision()).isEqualTo(Precision.FP32);
        assertThat(of(Map.of("bf16", true, "fp16", false)).engine().precision()).isEqualTo(Precision.BF16);
        TrainConfig half = of(Map.of("precision", "bf16", "fp16", false));
        assertThat(half.engine().precision()).isEqualTo(Precision.BF16);
        assertThat(half.with(Map.of("fp16", false), "test").engine().precision())
                .isEqualTo(Precision.BF16);
        assertThat(half.with(Map.of("bf16", false), "test").engine().precision())
                .isEqualTo(Precision.FP32);
        assertThatThrownBy(() -> of(Map.of("bf16", true, "fp16", true))).hasMessageContaining("are the same option");
        assertThat(of(Map.of("warmup_ratio", 0.03, "warmup_steps", 0))
                        .schedule()
                        .warmup())
                .isEqualTo(0.03);
        assertThat(of(Map.of("warmup_ratio", 0.0, "warmup_steps", 500))
                        .schedule()
                        .warmup())
                .isEqualTo(500);
        assertThat(of(Map.of("warmup_ratio", 0.0, "warmup_steps", 0)).schedule().warmup())
                .isZero();
        assertThat(of(Map.of("max_steps", -1, "steps", 7)).length().steps()).isEqualTo(7);
        assertThat(of(Map.of("max_steps", 70)).length().steps()).isEqualTo(70);
        assertThat(of(Map.of("lr_scheduler_type", "warmup_stable_decay"))
                        .schedule()
                        .schedule())
                .isEqualTo(Schedule.Shape.WSD);
    }

    @Test
    void otherNamesOfTransformersAreAnswered() {
        assertThatThrownBy(() -> of(Map.of("logging_steps", 10)))
                .isInstanceOf(UserException.class)
                .hasMessage(
                        "test: there is no option \"logging_steps\"; every step is in RUN/metrics.jsonl; leave it out");
        assertThatThrownBy(() -> of(Map.of("learning_rate", 1e-5, "lr", 1e-5)))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("are the same option; keep one of them");
        assertThatThrownBy(() -> of(Map.of("learning_rat", 1e-5))).hasMessageContaining("did you mean \"lr\"?");
        assertThatThrownBy(() -> of(Map.of("warmup_ratio", "1.0")))
                .hasMessageContaining("warmup_ratio is 1.0; it must be below 1");
        assertThatThrownBy(() -> of(Map.of("learning_rate", "fast")))
                .hasMessageContaining("lr is \"fast\"; it must be a number");
        assertThatThrownBy(() -> of(Map.of("lr_scheduler_type", "polynomial")))
                .hasMessageContaining("schedule is \"polynomial\"; it must be cosine, ");
    }

    private static TrainConfig of(Map<String, ?> options) {
        return TrainConfig.of(options, "test");
    }
}
