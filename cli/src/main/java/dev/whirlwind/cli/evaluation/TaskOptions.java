package dev.whirlwind.cli.evaluation;

import dev.whirlwind.cli.shared.Needs;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.config.Suggestion;
import dev.whirlwind.training.tasks.Fields;
import dev.whirlwind.training.tasks.Kind;
import dev.whirlwind.training.tasks.Preset;
import dev.whirlwind.training.tasks.Task;
import dev.whirlwind.training.tasks.TaskRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Which tasks models are put to, and how. */
final class TaskOptions {
    private static final String DEFAULT_METRICS = "bleu,chrf,rouge-l,f1,exact-match";
    private static final String SQUAD_METRICS = "f1,exact-match";
    private static final String SQUAD_2_METRICS = "f1-v2,exact-match";

    /** Tasks that options are for. */
    private static final Map<String, Kind> KINDS = Map.of(
            "--labels", Kind.CLASSIFICATION,
            "--max-tokens", Kind.GENERATION,
            "--stop", Kind.GENERATION,
            "--metric", Kind.GENERATION);

    @Option(
            names = "--task",
            arity = "1..*",
            paramLabel = "[FORM=]FILE",
            description = "Tasks: files of JSON rows of the forms hellaswag, arc, piqa, lambada, squad, choice, cloze,"
                    + " classification or generation; without a form it is told by the fields.")
    private List<String> tasks = List.of();

    @Needs("--task")
    @Option(
            names = "--few-shot",
            paramLabel = "FILE",
            description = "Examples, a file of the task's form: they come before each question with their answers.")
    private Path fewShot;

    @Needs("--few-shot")
    @Option(
            names = "--shots",
            paramLabel = "N",
            defaultValue = "0",
            description = "How many examples, from the file's beginning; 0, the default, for all.")
    private int shots;

    @Needs("--task")
    @Option(
            names = "--field",
            paramLabel = "FIELD=NAME",
            description = "What the file calls a field of the form, such as choices=options; dots lead into objects.")
    private Map<String, String> fields = Map.of();

    @Needs("--task")
    @Option(
            names = "--template",
            paramLabel = "TEXT",
            description =
                    "Prompts in place of the form's own, with the file's fields in braces: \"Q: {question}\\nA:\".")
    private String template;

    @Needs("--task")
    @Option(
            names = "--delimiter",
            paramLabel = "TEXT",
            description = "What stands between prompt and answer in place of the form's own, a space.")
    private String delimiter;

    @Needs("--task")
    @Option(
            names = "--labels",
            split = ",",
            paramLabel = "LABEL",
            description = "All labels of a classification, parted by commas. Default: those in the file.")
    private List<String> labels = List.of();

    @Needs(value = "--task", noted = true)
    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "0",
            description = "Read the first N questions of each task only; 0, the default, for all.")
    private int limit;

    @Needs("--task")
    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "64",
            description = "Most tokens of an answer that is generated. Default: ${DEFAULT-VALUE}.")
    private int maxTokens;

    @Needs("--task")
    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            defaultValue = "\\n",
            description =
                    "Where an answer that is generated ends; empty for at the model's end of text only. Default: the"
                            + " end of the line.")
    private String stop;

    @Needs("--task")
    @Option(
            names = "--metric",
            split = ",",
            paramLabel = "NAME",
            description = "What generated answers are judged by, parted by commas: " + MetricOptions.NAMES
                    + ". Default: " + DEFAULT_METRICS + "; of squad " + SQUAD_METRICS + ".")
    private List<String> metrics = List.of();

    @Mixin
    private MetricOptions metricOptions;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec mixee;

    boolean given() {
        return !tasks.isEmpty();
    }

    /** Reads the tasks. */
    List<Task> read(Consumer<String> notes) {
        Range.NOT_NEGATIVE.check("--shots", shots);
        Range.NOT_NEGATIVE.check("--limit", limit);
        Range.ONE_OR_MORE.check("--max-tokens", maxTokens);
        metricOptions.metrics(metrics);
        Fields named = new Fields(fields);
        List<Task> read = new ArrayList<>();
        for (String task : tasks) {
            Optional<Preset> form = form(task);
            String path = form.isPresent() ? task.substring(task.indexOf('=') + 1) : task;
            if (path.isEmpty()) {
                throw new UsageException("--task " + task + ": the file's name is empty; give --task FORM=FILE");
            }
            Path file = Path.of(path);
            read.add(Task.read(
                    new Task.Source(
                            file,
                            form.orElse(null),
                            fewShot,
                            shots,
                            named,
                            template == null ? null : unescaped(template),
                            delimiter == null ? null : unescaped(delimiter),
                            labels,
                            limit),
                    notes));
        }
        named.unused().ifPresent(why -> {
            throw new UsageException("--field " + why + "; mend it, or leave it out");
        });
        requireUse(read, notes);
        return named(read);
    }

    /** Options that are for tasks of a kind only. */
    private void requireUse(List<Task> read, Consumer<String> notes) {
        if (!given()) {
            return;
        }
        List<String> names = new ArrayList<>();
        read.stream().filter(task -> task.kind() == Kind.GENERATION).forEach(task -> names.addAll(metrics(task)));
        for (OptionSpec option : Needs.Check.asked(mixee.commandLine().getParseResult())) {
            Kind kind = KINDS.get(option.longestName());
            if (kind != null && read.stream().noneMatch(task -> task.kind() == kind)) {
                notes.accept(option.longestName() + " is for tasks of "
                        + kind.name().toLowerCase(Locale.ROOT) + ", and none is one (" + forms(read)
                        + "), so it has no effect");
            }
        }
        metricOptions.tellUse(names, notes);
    }

    private static String forms(List<Task> tasks) {
        return tasks.stream().map(task -> task.form().code()).distinct().collect(Collectors.joining(", "));
    }

    /** The form before a file's name, if there is one. */
    private static Optional<Preset> form(String task) {
        int equals = task.indexOf('=');
        if (equals <= 0 || Files.exists(Path.of(task))) {
            return Optional.empty();
        }
        String form = task.substring(0, equals).toLowerCase(Locale.ROOT);
        List<String> known = Arrays.stream(Preset.values()).map(Preset::code).toList();
        if (!known.contains(form)) {
            throw new UsageException("--task " + task + ": the form " + form + " is not known"
                    + Suggestion.of(form, known)
                            .map(meant -> "; did you mean " + meant + "?")
                            .orElse("; choose among " + String.join(", ", known)));
        }
        return Optional.of(Preset.valueOf(form.toUpperCase(Locale.ROOT)));
    }

    /** Tasks of one form are told apart by their files. */
    private static List<Task> named(List<Task> tasks) {
        Map<String, Integer> count = new LinkedHashMap<>();
        tasks.forEach(task -> count.merge(task.name(), 1, Integer::sum));
        return tasks.stream()
                .map(task -> count.get(task.name()) == 1 ? task : task.named(task.name() + "=" + task.file()))
                .toList();
    }

    /** How text is generated for a task. */
    TaskRun.Generation generation(Task task) {
        return new TaskRun.Generation(
                maxTokens,
                unescaped(stop),
                task.kind() == Kind.GENERATION ? metricOptions.metrics(metrics(task)) : List.of());
    }

    private List<String> metrics(Task task) {
        boolean squad = task.form() == Preset.SQUAD;
        String usual = !squad ? DEFAULT_METRICS : task.hasEmptyReferences() ? SQUAD_2_METRICS : SQUAD_METRICS;
        return !metrics.isEmpty() ? metrics : List.of(usual.split(",", -1));
    }

    /** Line ends and tabs, which are hard to type. */
    private static String unescaped(String text) {
        return text.replace("\\n", "\n").replace("\\t", "\t");
    }
}
