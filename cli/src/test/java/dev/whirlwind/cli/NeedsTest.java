package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.shared.Needs;
import dev.whirlwind.training.config.Need;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** Options that would have no effect are refused, and nothing is done. */
class NeedsTest {
    /** Options that have an effect beside others, by command; what runs are given is looked at by OptionsTest. */
    private static final Map<String, List<String>> NEEDING = Map.of(
            "eval",
            List.of("--contamination", "--limit", "--metric", "--passages", "--shots", "--split", "--stride"),
            "generate",
            List.of("--top-k", "--top-p"),
            "merge",
            List.of("--data", "--dtype", "--report", "--sweep", "--weight"));

    @TempDir
    Path temp;

    @Test
    void eachIsRefusedOrToldOf() {
        List<String> seen = new ArrayList<>();
        new CommandLine(new Main()).getSubcommands().forEach((name, command) -> {
            for (OptionSpec option : command.getCommandSpec().options()) {
                List<Need> needs = Needs.Check.needs(option);
                if (needs.isEmpty()) {
                    continue;
                }
                assertThat(needs)
                        .allSatisfy(need -> assertThat(command.getCommandSpec().optionsMap())
                                .as(name + " " + option)
                                .containsKey(need.option()));
                seen.add(name + " " + option.longestName());
                List<Object> args = new ArrayList<>(List.of(name));
                for (OptionSpec other : command.getCommandSpec().options()) {
                    boolean away = needs.stream().anyMatch(need -> need.option().equals(other.longestName()));
                    if (other.required() || (away && other.defaultValue() != null)) {
                        args.add(other.longestName());
                        args.add(away ? 0 : temp.resolve("none"));
                    }
                }
                args.add(option.longestName());
                args.add(value(option));
                Cli.Result result = Cli.run(args.toArray());
                String only = option.longestName() + " only has an effect with "
                        + needs.getFirst().option();
                if (result.err().contains(", so it has none")) {
                    assertThat(result.err()).startsWith(only);
                } else {
                    result.isWrongUsage(only, "or leave " + option.longestName() + " out");
                }
            }
        });
        NEEDING.forEach((command, options) -> assertThat(seen)
                .contains(options.stream().map(option -> command + " " + option).toArray(String[]::new)));
    }

    /** One that is not what the option is by default. */
    private static Object value(OptionSpec option) {
        Class<?> type = option.auxiliaryTypes().length == 0 ? option.type() : option.auxiliaryTypes()[0];
        if (type.isEnum()) {
            return type.getEnumConstants()[0];
        }
        return option.type() == Map.class ? "a=b" : type == int.class || type == Integer.class ? 3 : "0.25";
    }

    /** What is written out as it is anyway is no mistake. */
    @Test
    void defaultsAreNotRefused() {
        Path model = Cli.model(temp.resolve("model"));
        Cli.run("generate", "--model", model, "--prompt", "a", "--max-tokens", 2, "--temperature", 0, "--top-k", 0)
                .succeeds();
        Path file =
                Cli.write(temp.resolve("options.yaml"), "temperature: 2\nmomentum: 0.95\nlora_alpha:\nfall: linear\n");
        Cli.run("train", "--config", file, "--print-config").succeeds();
    }

    /** A file and the command line are looked at together. */
    @Test
    void runsAreRefusedByWhatFileAndCommandLineComeTo() {
        Path file = Cli.write(temp.resolve("options.yaml"), "temperature: 3\nsteps: 20\n");
        Cli.run("train", "--config", file, "--print-config")
                .isWrongUsage("temperature only has an effect with teacher or teacher_cache; give that, too");
        Cli.run("train", "--config", file, "--teacher", "t", "--tokens", 9, "--print-config")
                .succeeds();
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path run = temp.resolve("run");
        Cli.run("train", "--model", model, "--data", texts, "--out", run, "--steps", 2)
                .succeeds();
        Cli.run("resume", run, "--steps", 3, "--change", "--sample-tokens", 3).isWrongUsage("sample_every");
    }

    @Test
    void optionsOfTasksFitThem() {
        Path model = Cli.model(temp.resolve("model"));
        Path choice =
                Cli.write(temp.resolve("choice.jsonl"), "{\"context\":\"a\",\"choices\":[\"b\",\"c\"],\"label\":0}\n");
        tells(eval(model, choice, "--metric", "bleu"), "--metric is for tasks of generation", "(choice)");
        tells(eval(model, choice, "--max-tokens", 3), "--max-tokens is for tasks of generation");
        tells(eval(model, choice, "--labels", "a,b"), "--labels is for tasks of classification");
        tells(eval(model, choice, "--tokenize", "zh"), "--tokenize only has an effect with --metric bleu");
        eval(model, choice, "--field", "colour=red").isWrongUsage("--field colour=red: no form", "has a field colour");
        eval(model, choice, "--field", "label=gold").fails("has no \"gold\"");
        Path squad = Cli.write(
                temp.resolve("squad.jsonl"), "{\"context\":\"a\",\"question\":\"b\",\"answers\":{\"text\":[\"c\"]}}\n");
        eval(model, squad, "--max-tokens", 3, "--field", "title=name")
                .isWrongUsage("--field title=name: no row has a field name");
        tells(eval(model, squad, "--max-tokens", 3, "--tokenize", "zh"), "--tokenize only has an effect with");
        assertThat(eval(model, squad, "--max-tokens", 3, "--tokenize", "zh", "--metric", "bleu,f1")
                        .succeeds()
                        .err())
                .doesNotContain("effect");
        eval(model, squad, "--max-tokens", 3, "--template", "{q}", "--field", "q=question")
                .succeeds();
        Path line = Cli.write(temp.resolve("line.txt"), "a b c\n");
        tells(score(line, "--metric", "f1", "--lowercase"), "--lowercase only has an effect with --metric bleu");
        tells(
                score(line, "--metric", "chrf++", "--chrf-word-order", 1),
                "--chrf-word-order only has an effect with --metric chrf,");
        assertThat(score(line, "--chrf-beta", 1).succeeds().err()).isEmpty();
        Cli.run("eval", "--model", model, "--data", line, "--split", "train")
                .isWrongUsage("--split train is what is read of a prepared folder");
        Cli.run("eval", "--model", model, "--data", line, "--stride", 4, "--windows", "separate")
                .isWrongUsage("leave --windows out");
    }

    private static void tells(Cli.Result result, String... words) {
        assertThat(result.succeeds().err().lines().filter(line -> line.contains("effect")))
                .singleElement()
                .asString()
                .contains(words);
    }

    private static Cli.Result score(Path line, Object... more) {
        List<Object> args = new ArrayList<>(List.of("score", "--hypotheses", line, "--references", line));
        args.addAll(List.of(more));
        return Cli.run(args.toArray());
    }

    private static Cli.Result eval(Path model, Path task, Object... more) {
        List<Object> args = new ArrayList<>(List.of("eval", "--model", model, "--task", task));
        args.addAll(List.of(more));
        return Cli.run(args.toArray());
    }
}
