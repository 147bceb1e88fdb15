package dev.whirlwind.cli.evaluation;

import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.training.scoring.Scores;
import dev.whirlwind.training.scoring.TextLines;
import dev.whirlwind.training.scoring.TextMetric;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "score",
        description =
                "Compares texts, made by whatever, with references: BLEU, chrF, ROUGE, SQuAD's F1 and exact match.")
public final class ScoreCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--hypotheses",
            required = true,
            paramLabel = "FILE",
            description = "The texts, one a line (or a JSON string a line in a .jsonl file).")
    private Path hypotheses;

    @Option(
            names = "--references",
            required = true,
            arity = "1..*",
            paramLabel = "FILE",
            description = "What they should be, one a line; of several files each has a reference for every text. In a"
                    + " .jsonl file a line may be an array of references.")
    private List<Path> references;

    @Option(
            names = "--metric",
            split = ",",
            defaultValue = "bleu,chrf",
            paramLabel = "NAME",
            description = "Metrics, parted by commas: " + MetricOptions.NAMES + ". Default: ${DEFAULT-VALUE}.")
    private List<String> names;

    @Option(names = "--sentences", description = "Score each text by itself, too.")
    private boolean sentences;

    @Mixin
    private MetricOptions options;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        List<TextMetric> metrics = options.metrics(names);
        options.tellUse(names, spec.commandLine().getErr()::println);
        List<String> texts = TextLines.hypotheses(hypotheses);
        List<List<String>> expected = TextLines.references(references, hypotheses, texts.size());
        List<Scores> all = metrics.stream()
                .map(metric -> Scores.of(metric, texts, expected))
                .toList();
        if (output.isJson()) {
            spec.commandLine()
                    .getOut()
                    .println(Output.json(
                            Map.of("scores", all.stream().map(this::json).toList())));
        } else {
            print(all);
        }
        return 0;
    }

    private Map<String, Object> json(Scores scores) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("metric", scores.metric().label());
        json.put("score", scores.score());
        json.put("signature", scores.signature());
        if (sentences) {
            json.put("sentences", scores.sentences());
        }
        return json;
    }

    private void print(List<Scores> all) {
        Table table = new Table("metric", "score", "signature");
        for (Scores scores : all) {
            table.row(scores.metric().label(), "%.4f".formatted(scores.score()), scores.signature());
        }
        table.print(spec.commandLine().getOut());
        if (sentences) {
            String[] headings = all.stream().map(s -> s.metric().label()).toArray(String[]::new);
            Table lines = new Table(headings);
            for (int i = 0; i < all.getFirst().statistics().size(); i++) {
                int line = i;
                lines.row(all.stream()
                        .map(s -> "%.4f".formatted(s.sentences().get(line)))
                        .toArray(String[]::new));
            }
            spec.commandLine().getOut().println();
            lines.print(spec.commandLine().getOut());
        }
    }
}
