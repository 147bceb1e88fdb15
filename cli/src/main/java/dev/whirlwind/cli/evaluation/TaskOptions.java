package dev.whirlwind.cli.evaluation;

import dev.whirlwind.model.UsageException;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.config.Suggestion;
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
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Which tasks models are put to, and how. */
final class TaskOptions {
    private static final String DEFAULT_METRICS = "bleu,chrf,rouge-l,f1,exact-match";
    private static final String SQUAD_METRICS = "f1,exact-match";
    private static final String SQUAD_2_METRICS = "f1-v2,exact-match";

    @Option(
            names = "--task",
            arity = "1..*",
            paramLabel = "[FORM=]FILE",
            description = "Tasks: files of JSON rows of the forms hellaswag, arc, piqa, lambada, squad, choice, cloze,"
                    + " classification or generation; without a form it is told by the fields.")
    private List<String> tasks = List.of();

    @Option(
            names = "--few-shot",
            paramLabel = "FILE",
            description = "Examples, a file of the task's form: they come before each question with their answers.")
    private Path fewShot;

    @Option(
            names = "--shots",
            paramLabel = "N",
            defaultValue = "0",
            description = "How many examples, from the file's beginning; 0, the default, for all.")
    private int shots;

    @Option(
            names = "--field",
            paramLabel = "FIELD=NAME",
            description = "What the file calls a field of the form, such as choices=options; dots lead into objects.")
    private Map<String, String> fields = Map.of();

    @Option(
            names = "--template",
            paramLabel = "TEXT",
            description =
                    "Prompts in place of the form's own, with the file's fields in braces: \"Q: {question}\\nA:\".")
    private String template;

    @Option(
            names = "--delimiter",
            paramLabel = "TEXT",
            description = "What stands between prompt and answer in place of the form's own, a space.")
    private String delimiter;

    @Option(
            names = "--labels",
            split = ",",
            paramLabel = "LABEL",
            description = "All labels of a classification, parted by commas. Default: those in the file.")
    private List<String> labels = List.of();

    @Option(
            names = "--limit",
            paramLabel = "N",
            defaultValue = "0",
            description = "Read the first N questions of each task only; 0, the default, for all.")
    private int limit;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "64",
            description = "Most tokens of an answer that is generated. Default: ${DEFAULT-VALUE}.")
    private int maxTokens;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            defaultValue = "\\n",
            description =
                    "Where an answer that is generated ends; empty for at the model's end of text only. Default: the"
                            + " end of the line.")
    private String stop;

    @Option(
            names = "--metric",
            split = ",",
            paramLabel = "NAME",
            description = "What generated answers are judged by, parted by commas: " + MetricOptions.NAMES
                    + ". Default: " + DEFAULT_METRICS + "; of squad " + SQUAD_METRICS + ".")
    private List<String> metrics = List.of();

    @Mixin
    private MetricOptions metricOptions;

    boolean given() {
        return !tasks.isEmpty();
    }

    /** Reads the tasks. */
    List<Task> read(Consumer<String> notes) {
        Range.NOT_NEGATIVE.check("--shots", shots);
        Range.NOT_NEGATIVE.check("--limit", limit);
        Range.ONE_OR_MORE.check("--max-tokens", maxTokens);
        if (shots > 0 && fewShot == null) {
            throw new UsageException("--shots " + shots + " needs --few-shot FILE, which holds the examples");
        }
        metricOptions.metrics(metrics);
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
                            fields,
                            template == null ? null : unescaped(template),
                            delimiter == null ? null : unescaped(delimiter),
                            labels,
                            limit),
                    notes));
        }
        return named(read);
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
        boolean squad = task.form() == Preset.SQUAD;
        String usual = !squad ? DEFAULT_METRICS : task.hasEmptyReferences() ? SQUAD_2_METRICS : SQUAD_METRICS;
        List<String> names = !metrics.isEmpty() ? metrics : List.of(usual.split(",", -1));
        return new TaskRun.Generation(
                maxTokens, unescaped(stop), task.kind() == Kind.GENERATION ? metricOptions.metrics(names) : List.of());
    }

    /** Line ends and tabs, which are hard to type. */
    private static String unescaped(String text) {
        return text.replace("\\n", "\n").replace("\\t", "\t");
    }
}
