package dev.whirlwind.model.adapters;

import dev.whirlwind.model.Adapter;
import dev.whirlwind.model.Adapter.Lora;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.ConfigFields;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Pissa;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.files.WholeFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * PEFT's {@code adapter_config.json}, of the type LORA. What it says of modules is decided as PEFT 0.21 does it, by their names
 * in the model, such as {@code model.layers.0.self_attn.q_proj}.
 */
public final class AdapterConfig {
    public static final String NAME = "adapter_config.json";

    private static final String ALL_LINEAR = "all-linear";

    /** What changes what is computed, and is not built; each is off where it is null, false or empty. */
    private static final List<String> UNKNOWN = List.of(
            "alora_invocation_tokens",
            "layer_replication",
            "lora_bias",
            "target_parameters",
            "trainable_token_indices",
            "use_qalora",
            "use_bdlora",
            "arrow_config",
            "kasa_config",
            "monteclora_config",
            "velora_config");

    private static final String INIT = "init_lora_weights";
    private static final String PISSA = "pissa";

    /** Ways to begin that leave the model's weights as they are. */
    private static final Set<String> PLAIN = Set.of("true", "false", "gaussian", "eva", "orthogonal", "mica");

    private static final Pattern ANY_LAYER = Pattern.compile(".*\\.[^.]*\\.(\\d+)\\.");

    private final ConfigFields fields;

    private AdapterConfig(ConfigFields fields) {
        this.fields = fields;
        String type = fields.text("peft_type", "LORA");
        if (!type.equals("LORA")) {
            throw fields.error("peft_type", "is " + Reason.cited(type) + "; only adapters of the type LORA are known");
        }
        String bias = fields.text("bias", "none");
        if (!bias.equals("none")) {
            throw fields.error("bias", "is " + Reason.cited(bias) + ", and only \"none\" is known");
        }
        JsonNode init = fields.json().path(INIT);
        String begun = init.isMissingNode() || init.isNull() ? "true" : init.asString();
        if (!PLAIN.contains(begun) && !begun.equals(PISSA)) {
            throw fields.error(
                    INIT,
                    "is " + Reason.cited(init) + ": the weights that it was trained beside are not the base model's;"
                            + " save it in PEFT with path_initial_model_for_weight_conversion");
        }
        for (String name : UNKNOWN) {
            JsonNode value = fields.json().path(name);
            boolean off = value.isNull() || value.isMissingNode() || (value.isContainer() && value.isEmpty());
            if (!off && !(value.isBoolean() && !value.booleanValue())) {
                throw fields.error(name, "is " + Reason.cited(value) + ", which is not known here");
            }
        }
    }

    /**
     * Reads that of an adapter's folder.
     *
     * @throws UserException if the folder has none, or one that is not known
     */
    public static AdapterConfig read(Path folder) {
        Path file = folder.resolve(NAME);
        try {
            JsonNode json = JsonMapper.shared().readTree(WholeFile.read(file, WholeFile.SETTINGS));
            if (!(json instanceof ObjectNode object)) {
                throw new UserException(file + ": is not an object of JSON");
            }
            return new AdapterConfig(new ConfigFields(object, file.toString()));
        } catch (IOException e) {
            throw new UserException(
                    file + ": cannot be read (" + Reason.of(e) + "); an adapter's folder holds it beside "
                            + AdapterFiles.NAME,
                    e);
        } catch (JacksonException e) {
            throw new UserException(file + ": is not valid JSON (" + Reason.of(e) + ")", e);
        }
    }

    /**
     * A new adapter.
     *
     * @param base the base model's folder
     * @param alpha the scale is alpha / rank, or alpha / sqrt(rank) if {@code rankStabilised} (arXiv 2312.03732)
     * @param target names, or one regular expression of whole names, or none for all linear layers
     * @param save names of modules of the model that are trained as a whole
     * @param principal whether it begins as the principal part of the weights: see {@link Pissa}
     */
    public static AdapterConfig create(
            String base,
            ModelConfig model,
            int rank,
            double alpha,
            double dropout,
            List<String> target,
            List<String> save,
            boolean rankStabilised,
            boolean magnitudes,
            boolean principal) {
        ObjectNode json = JsonMapper.shared().createObjectNode();
        json.put("peft_type", "LORA");
        json.put("task_type", "CAUSAL_LM");
        json.put("base_model_name_or_path", base);
        json.put("inference_mode", true);
        json.put("bias", "none");
        json.put("fan_in_fan_out", model.isGpt2());
        json.put("r", rank);
        json.put("lora_alpha", alpha);
        json.put("lora_dropout", dropout);
        json.put("use_rslora", rankStabilised);
        json.put("use_dora", magnitudes);
        if (principal) {
            json.put(INIT, PISSA);
        }
        if (target.isEmpty()) {
            json.put("target_modules", ALL_LINEAR);
        } else if (target.size() == 1 && !target.getFirst().matches("[\\w.]+")) {
            json.put("target_modules", target.getFirst());
        } else {
            target.forEach(json.withArray("target_modules")::add);
        }
        save.forEach(json.withArray("modules_to_save")::add);
        return new AdapterConfig(new ConfigFields(json, "the adapter"));
    }

    /**
     * The folder of the base model.
     *
     * @throws UserException if the file does not say, or there is none
     */
    public Path base() {
        String name = fields.text("base_model_name_or_path", "");
        if (name.isEmpty()) {
            throw fields.error("base_model_name_or_path", "is missing; put the base model's folder there");
        }
        Path base = Path.of(name);
        if (!Files.isDirectory(base)) {
            throw fields.error(
                    "base_model_name_or_path",
                    "is " + Reason.cited(name) + ", and there is no such folder; put the base model's folder there");
        }
        return base;
    }

    /** The same for the base model that another one has. */
    public AdapterConfig onBaseOf(AdapterConfig other) {
        ObjectNode json = fields.json().deepCopy();
        json.put("base_model_name_or_path", other.fields.text("base_model_name_or_path", ""));
        return new AdapterConfig(new ConfigFields(json, "the adapter"));
    }

    /** Whether the model's weights have lost what the adapter began as: see {@link Pissa}. */
    public boolean isPrincipal() {
        return fields.json().path(INIT).asString("").equals(PISSA);
    }

    /** Throws where the weights, which change, are not kept as floats. */
    public void requireFloats(WeightFormat format) {
        if (format != WeightFormat.FP32) {
            throw fields.error(
                    INIT, "is \"" + PISSA + "\", which changes the base model's weights; leave --weights out for it");
        }
    }

    /** That of the adapter which does for the whole weights what this does for the rest: of twice the rank, scaled alike. */
    AdapterConfig ofWholeWeights() {
        ObjectNode json = fields.json().deepCopy();
        boolean rankStabilised = fields.flag("use_rslora", false);
        json.put(INIT, true);
        json.put("r", 2 * fields.size("r", 8));
        json.put("lora_alpha", fields.positive("lora_alpha", 8) * (rankStabilised ? Math.sqrt(2) : 2));
        if (json.path("rank_pattern") instanceof ObjectNode ranks) {
            ranks.propertyStream()
                    .toList()
                    .forEach(
                            rank -> ranks.put(rank.getKey(), 2 * rank.getValue().intValue()));
        }
        if (json.path("alpha_pattern") instanceof ObjectNode alphas) {
            alphas.propertyStream()
                    .toList()
                    .forEach(alpha -> alphas.put(
                            alpha.getKey(), alpha.getValue().doubleValue() * (rankStabilised ? Math.sqrt(2) : 2)));
        }
        return new AdapterConfig(new ConfigFields(json, "the adapter"));
    }

    ObjectNode json() {
        return fields.json();
    }

    /**
     * The adapters of a model's modules.
     *
     * @throws UserException if there would be none, or some of modules that cannot have any
     */
    public Adapter of(ModelConfig model) {
        List<CheckpointTensor> tensors = new ParameterLayout(model).checkpointTensors();
        List<String> linear = tensors.stream()
                .filter(tensor -> tensor.shape().size() == 2)
                .map(tensor -> Adapter.module(tensor.name()))
                .toList();
        Predicate<String> targeted = targeted();
        Predicate<String> excluded = matching("exclude_modules");
        LinkedHashMap<String, Lora> modules = new LinkedHashMap<>();
        for (CheckpointTensor tensor : tensors) {
            String module = Adapter.module(tensor.name());
            if (tensor.shape().size() != 2) {
                continue;
            }
            if (targeted.test(module) && !excluded.test(module)) {
                if (!ANY_LAYER.matcher(module).lookingAt()) {
                    if (isAllLinear()) {
                        continue;
                    }
                    throw fields.error(
                            "target_modules",
                            "has " + module + ", which cannot have an adapter here; give it in modules_to_save");
                }
                Lora lora = lora(module);
                long narrowest = Math.min(tensor.shape().get(0), tensor.shape().get(1));
                if (lora.rank() > narrowest) {
                    throw fields.error(
                            "r",
                            "gives " + module + " the rank " + lora.rank() + ", which is no low one for a matrix of "
                                    + tensor.shape() + "; give " + narrowest + " at most");
                }
                modules.put(module, lora);
            }
        }
        if (modules.isEmpty()) {
            throw fields.error(
                    "target_modules",
                    "is " + Reason.cited(fields.json().path("target_modules")) + ", which is none of the model's: "
                            + linear.stream()
                                    .map(name -> name.substring(name.lastIndexOf('.') + 1))
                                    .distinct()
                                    .collect(Collectors.joining(", ")));
        }
        return new Adapter(modules, fields.rate("lora_dropout", 0), saved(model));
    }

    private boolean isAllLinear() {
        JsonNode target = fields.json().path("target_modules");
        return target.isString() && target.stringValue().equalsIgnoreCase(ALL_LINEAR);
    }

    private Lora lora(String module) {
        int rank = ofPattern("rank_pattern", module, fields.size("r", 8)).intValue();
        double alpha = ofPattern("alpha_pattern", module, fields.positive("lora_alpha", 8))
                .doubleValue();
        if (rank < 1 || !(alpha > 0)) {
            throw fields.error("rank_pattern", "or alpha_pattern has a value that is not above 0 for " + module);
        }
        double scale = fields.flag("use_rslora", false) ? alpha / Math.sqrt(rank) : alpha / rank;
        return new Lora(rank, (float) scale, fields.flag("use_dora", false));
    }

    private Number ofPattern(String key, String module, Number otherwise) {
        ConfigFields patterns = fields.object(key);
        if (patterns != null) {
            for (String pattern : patterns.json().propertyNames()) {
                JsonNode value = patterns.json().path(pattern);
                if (compiled(key, "(.*\\.)?(" + pattern + ")$").matcher(module).lookingAt()) {
                    if (!value.isNumber()) {
                        throw fields.error(key, "has " + Reason.cited(value) + " for " + pattern + ", not a number");
                    }
                    return value.numberValue();
                }
            }
        }
        return otherwise;
    }

    private Predicate<String> targeted() {
        if (isAllLinear()) {
            return _ -> true;
        }
        if (!fields.has("target_modules")) {
            throw fields.error("target_modules", "is missing; give names such as q_proj, or \"" + ALL_LINEAR + "\"");
        }
        Predicate<String> named = matching("target_modules");
        return fields.json().path("target_modules").isString() ? named : named.and(inChosenLayers());
    }

    /** A text is a regular expression of whole names; a list has names or their last parts. */
    private Predicate<String> matching(String key) {
        JsonNode given = fields.json().path(key);
        if (given.isString()) {
            return compiled(key, given.stringValue()).asMatchPredicate();
        }
        Set<String> names = texts(key);
        return module -> names.stream().anyMatch(name -> module.equals(name) || module.endsWith("." + name));
    }

    private Predicate<String> inChosenLayers() {
        JsonNode given = fields.json().path("layers_to_transform");
        List<Integer> layers = new ArrayList<>();
        for (JsonNode layer : given.isNumber() ? List.of(given) : given) {
            if (!layer.isIntegralNumber()) {
                throw fields.error("layers_to_transform", "has " + Reason.cited(layer) + ", not a layer's number");
            }
            layers.add(layer.intValue());
        }
        if (layers.isEmpty()) {
            return _ -> true;
        }
        JsonNode pattern = fields.json().path("layers_pattern");
        Set<String> names = pattern.isString() ? Set.of(pattern.stringValue()) : texts("layers_pattern");
        List<Pattern> patterns = names.isEmpty()
                ? List.of(ANY_LAYER)
                : names.stream()
                        .map(name -> compiled("layers_pattern", ".*\\." + name + "\\.(\\d+)\\."))
                        .toList();
        return module -> patterns.stream()
                .map(layer -> layer.matcher(module))
                .filter(Matcher::lookingAt)
                .findFirst()
                .map(found -> layers.contains(Integer.valueOf(found.group(1))))
                .orElse(false);
    }

    private Set<String> texts(String key) {
        Set<String> texts = new LinkedHashSet<>();
        for (JsonNode text : fields.json().path(key)) {
            if (!text.isString()) {
                throw fields.error(key, "has " + Reason.cited(text) + ", not a name");
            }
            texts.add(text.stringValue());
        }
        return texts;
    }

    private Pattern compiled(String key, String expression) {
        try {
            return Pattern.compile(expression);
        } catch (PatternSyntaxException e) {
            throw fields.error(
                    key, "has " + Reason.cited(expression) + ", which is no pattern (" + e.getDescription() + ")");
        }
    }

    private Set<String> saved(ModelConfig model) {
        List<CheckpointTensor> tensors = new ParameterLayout(model).checkpointTensors();
        Set<String> saved = new LinkedHashSet<>();
        for (String name : texts("modules_to_save")) {
            List<String> found = tensors.stream()
                    .map(CheckpointTensor::name)
                    .filter(tensor -> isOf(name, tensor))
                    .toList();
            if (found.isEmpty()) {
                throw fields.error(
                        "modules_to_save",
                        "has " + Reason.cited(name) + ", which is none of the model's"
                                + (model.tied() && name.equals("lm_head")
                                        ? ": its head is the token embedding; give that"
                                        : ""));
            }
            saved.addAll(found);
        }
        return saved;
    }

    private static boolean isOf(String module, String tensor) {
        String owner = tensor.substring(0, tensor.lastIndexOf('.'));
        return owner.equals(module) || owner.endsWith("." + module);
    }
}
