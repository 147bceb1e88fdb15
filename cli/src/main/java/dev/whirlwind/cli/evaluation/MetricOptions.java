package dev.whirlwind.cli.evaluation;

import dev.whirlwind.cli.shared.Needs;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.config.Suggestion;
import dev.whirlwind.training.scoring.Bleu;
import dev.whirlwind.training.scoring.BleuTokenizer;
import dev.whirlwind.training.scoring.Chrf;
import dev.whirlwind.training.scoring.Rouge;
import dev.whirlwind.training.scoring.Squad;
import dev.whirlwind.training.scoring.TextMetric;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Which metrics texts are compared with references by, and how; the names are sacreBLEU's. */
final class MetricOptions {
    static final String NAMES = "bleu, chrf, chrf++, rouge-1, rouge-2, rouge-l, rouge-lsum, f1, f1-v2, exact-match";

    @Option(
            names = "--tokenize",
            paramLabel = "NAME",
            defaultValue = "13a",
            description = "How BLEU cuts lines into words: 13a, intl, char, zh or none. Default: ${DEFAULT-VALUE}.")
    private String tokenize;

    @Option(
            names = "--smooth-method",
            paramLabel = "NAME",
            defaultValue = "exp",
            description =
                    "What BLEU takes for n-gram precisions of 0: exp, floor, add-k or none. Default: ${DEFAULT-VALUE}.")
    private String smoothMethod;

    @Option(
            names = "--smooth-value",
            paramLabel = "X",
            description = "The value of floor (0.1 by default) and add-k (1).")
    private Double smoothValue;

    @Option(
            names = "--max-ngram-order",
            paramLabel = "N",
            defaultValue = "4",
            description = "Longest n-grams of BLEU, in words. Default: ${DEFAULT-VALUE}.")
    private int maxNgramOrder;

    @Option(names = "--lowercase", description = "BLEU without regard to case.")
    private boolean lowercase;

    @Option(
            names = "--effective-order",
            description =
                    "BLEU without the orders that the texts do not reach, as its score of single lines always is.")
    private boolean effectiveOrder;

    @Option(
            names = "--chrf-char-order",
            paramLabel = "N",
            defaultValue = "6",
            description = "Longest n-grams of chrF, in characters. Default: ${DEFAULT-VALUE}.")
    private int chrfCharOrder;

    @Option(
            names = "--chrf-word-order",
            paramLabel = "N",
            defaultValue = "0",
            description = "Longest n-grams of words of chrf; chrf++ has 2. Default: ${DEFAULT-VALUE}.")
    private int chrfWordOrder;

    @Option(
            names = "--chrf-beta",
            paramLabel = "N",
            defaultValue = "2",
            description = "How many times as much as precision recall counts in chrF. Default: ${DEFAULT-VALUE}.")
    private int chrfBeta;

    @Option(names = "--chrf-lowercase", description = "chrF without regard to case.")
    private boolean chrfLowercase;

    @Option(names = "--chrf-whitespace", description = "White space is a part of chrF's n-grams.")
    private boolean chrfWhitespace;

    @Option(
            names = "--chrf-eps-smoothing",
            description = "chrF counts orders without n-grams as nearly 0, as chrF++.py and NLTK do.")
    private boolean chrfEpsSmoothing;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec mixee;

    /** The metrics of these names; exit code 2 for others. */
    List<TextMetric> metrics(List<String> names) {
        Range.ONE_OR_MORE.check("--max-ngram-order", maxNgramOrder);
        Range.ONE_OR_MORE.check("--chrf-char-order", chrfCharOrder);
        Range.NOT_NEGATIVE.check("--chrf-word-order", chrfWordOrder);
        Range.ONE_OR_MORE.check("--chrf-beta", chrfBeta);
        Bleu.Smoothing smoothing = choice("--smooth-method", smoothMethod, Arrays.asList(Bleu.Smoothing.values()));
        boolean valued = smoothing == Bleu.Smoothing.FLOOR || smoothing == Bleu.Smoothing.ADD_K;
        if (smoothValue != null && !(valued && smoothValue > 0 && smoothValue < Double.POSITIVE_INFINITY)) {
            throw new UsageException("--smooth-value " + smoothValue + ": "
                    + (valued ? "it must be above 0" : "only floor and add-k have one; give --smooth-method, too"));
        }
        BleuTokenizer tokenizer = choice("--tokenize", tokenize, Arrays.asList(BleuTokenizer.values()));
        double value = smoothValue == null ? Double.NaN : smoothValue;
        Map<String, TextMetric> known = new LinkedHashMap<>();
        known.put("bleu", new Bleu(tokenizer, lowercase, smoothing, value, maxNgramOrder, effectiveOrder));
        known.put("chrf", chrf("chrf", chrfWordOrder));
        known.put("chrf++", chrf("chrf++", 2));
        for (TextMetric metric : Rouge.values()) {
            known.put(metric.label(), metric);
        }
        for (TextMetric metric : Squad.values()) {
            known.put(metric.label(), metric);
        }
        List<TextMetric> metrics = new ArrayList<>();
        for (String name : names) {
            TextMetric metric = known.get(canonical(name));
            if (metric == null) {
                throw new UsageException("--metric " + name + " is not known"
                        + Suggestion.of(canonical(name), known.keySet())
                                .map(meant -> "; did you mean " + meant + "?")
                                .orElse("; choose among " + NAMES));
            }
            metrics.add(metric);
        }
        return metrics;
    }

    /** Tells of options that were given, and that none of these metrics has a use for. */
    void tellUse(Collection<String> names, Consumer<String> notes) {
        Set<String> known = names.stream().map(MetricOptions::canonical).collect(Collectors.toSet());
        for (OptionSpec option : Needs.Check.asked(mixee.commandLine().getParseResult())) {
            boolean own =
                    option.userObject() instanceof Field field && field.getDeclaringClass() == MetricOptions.class;
            List<String> of = !option.longestName().startsWith("--chrf")
                    ? List.of("bleu")
                    : option.longestName().equals("--chrf-word-order") ? List.of("chrf") : List.of("chrf", "chrf++");
            if (own && Collections.disjoint(known, of)) {
                notes.accept(option.longestName() + " only has an effect with --metric " + String.join(" or ", of)
                        + ", so it has none");
            }
        }
    }

    private Chrf chrf(String label, int wordOrder) {
        return new Chrf(label, chrfCharOrder, wordOrder, chrfBeta, chrfLowercase, chrfWhitespace, chrfEpsSmoothing);
    }

    /** Names as other programs write them, too. */
    private static String canonical(String name) {
        String lower = name.strip().toLowerCase(Locale.ROOT).replace('_', '-');
        return switch (lower) {
            case "chrfpp", "chrf2++" -> "chrf++";
            case "chrf2" -> "chrf";
            case "em", "exact" -> "exact-match";
            default -> lower.replaceFirst("^rouge(?=[12l])", "rouge-");
        };
    }

    private static <T> T choice(String option, String name, List<T> choices) {
        return choices.stream()
                .filter(choice -> choice.toString().equals(name.toLowerCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(() -> new UsageException(option + " " + name + ": choose among "
                        + String.join(
                                ", ", choices.stream().map(Object::toString).toList())));
    }
}
