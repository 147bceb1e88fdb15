package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;

/** What the learning rate of each tensor of a checkpoint is multiplied by, by its name; 0 where it is frozen. */
public final class RateFactors {
    /** The same rate for all. */
    public static final RateFactors NONE = new RateFactors(Map.of());

    private static final Pattern LAYER = Pattern.compile("(?:^|\\.)(?:layers|h)\\.(\\d+)\\.");
    private static final Pattern EMBEDDING = Pattern.compile("(?:^|\\.)(?:embed_tokens|wte|wpe)\\.");

    /** Without those whose factor is 1. */
    private final Map<String, Double> factors;

    private RateFactors(Map<String, Double> factors) {
        this.factors = factors;
    }

    /**
     * Those of a model.
     *
     * @param freeze patterns of names that are not trained
     * @param rates {@code PATTERN=FACTOR}; of several that fit a name the last counts
     * @param ofB factor of an adapter's B (LoRA+, arXiv 2402.12354)
     * @param layerDecay what each layer has of the next one's rate (arXiv 2003.10555): the last norm and the head have all,
     *     the last layer this much, and the embeddings one layer's less than the first
     * @throws UserException if a pattern fits no name, or nothing would be trained
     */
    public static RateFactors of(
            ParameterLayout layout,
            Collection<String> freeze,
            Collection<String> rates,
            double layerDecay,
            double ofB) {
        List<String> names = layout.checkpointTensors().stream()
                .filter(tensor -> layout.adapter().isNone() || layout.adapter().has(tensor))
                .map(CheckpointTensor::name)
                .toList();
        if (ofB != 1 && layout.adapter().isNone()) {
            throw new UsageException(
                    "lora_plus only has an effect with an adapter; give lora a rank, or leave lora_plus out");
        }
        int layers = layout.config().layers();
        Map<String, Double> factors = new LinkedHashMap<>();
        layout.checkpointTensors().forEach(tensor -> factors.put(tensor.name(), 0.0));
        names.forEach(name -> factors.put(
                name,
                Math.pow(layerDecay, layers + 1.0 - depth(name, layers)) * (name.contains(".lora_B.") ? ofB : 1)));
        Map<String, Double> given = new LinkedHashMap<>();
        for (String rate : rates) {
            int equals = rate.lastIndexOf('=');
            double factor = factor(rate, equals);
            matching("lr_for", rate.substring(0, equals), names).forEach(name -> given.put(name, factor));
        }
        given.forEach((name, factor) -> factors.merge(name, factor, (a, b) -> a * b));
        freeze.forEach(pattern -> matching("freeze", pattern, names).forEach(name -> factors.put(name, 0.0)));
        if (factors.values().stream().allMatch(factor -> factor == 0)) {
            throw new UserException("freeze leaves nothing to train; the model has " + listed(names));
        }
        factors.values().removeIf(factor -> factor == 1);
        return new RateFactors(factors);
    }

    private static double depth(String name, int layers) {
        Matcher layer = LAYER.matcher(name);
        if (layer.find()) {
            return Integer.parseInt(layer.group(1)) + 1.0;
        }
        return EMBEDDING.matcher(name).find() ? 0 : layers + 1.0;
    }

    private static double factor(String rate, int equals) {
        try {
            double factor = Double.parseDouble(rate.substring(equals + 1));
            if (equals > 0 && factor >= 0 && factor <= 1000) {
                return factor;
            }
        } catch (NumberFormatException e) {
            // As any other that is none.
        }
        throw new UserException("lr_for is " + Reason.cited(rate)
                + "; it must be PATTERN=FACTOR, such as embed*=0.1, with a factor from 0 to 1000");
    }

    private static List<String> matching(String option, String pattern, List<String> names) {
        Predicate<String> fits = pattern(option, pattern);
        List<String> fitting = names.stream().filter(fits).toList();
        if (fitting.isEmpty()) {
            throw new UserException(option + ": " + Reason.cited(pattern)
                    + " fits no parameter of the model, which has " + listed(names));
        }
        return fitting;
    }

    /**
     * A pattern as a shell has it for files: * is any text, ? a character, [0-3] one of several, {a,b} either. It fits a name
     * of which it fits some parts, from point to point: "q_proj" fits layers.0.self_attn.q_proj.weight.
     */
    static Predicate<String> pattern(String option, String pattern) {
        PathMatcher glob;
        try {
            glob = FileSystems.getDefault().getPathMatcher("glob:" + pattern);
        } catch (PatternSyntaxException e) {
            throw new UserException(
                    option + " is " + Reason.cited(pattern) + ", which is no pattern (" + e.getDescription() + ")", e);
        }
        return name -> {
            String[] parts = name.split("\\.", -1);
            for (int from = 0; from < parts.length; from++) {
                for (int to = from + 1; to <= parts.length; to++) {
                    if (glob.matches(Path.of(String.join(".", List.of(parts).subList(from, to))))) {
                        return true;
                    }
                }
            }
            return false;
        };
    }

    /** Names with all layers' as one. */
    private static String listed(List<String> names) {
        return names.stream()
                .map(name -> LAYER.matcher(name).find() ? name.replaceFirst("\\.\\d+\\.", ".N.") : name)
                .distinct()
                .collect(Collectors.joining(", "));
    }

    /** The factor of a tensor. */
    public double of(String name) {
        return factors.getOrDefault(name, 1.0);
    }

    /** Whether a tensor is trained. */
    public boolean trains(String name) {
        return of(name) != 0;
    }
}
