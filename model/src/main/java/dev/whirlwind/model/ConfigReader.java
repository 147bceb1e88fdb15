package dev.whirlwind.model;

import java.util.HashSet;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads config.json in its old form (rope_theta, rope_scaling, torch_dtype) and its new one (rope_parameters,
 * layer_types, dtype), with the defaults of {@code transformers} for keys left out. What would make the model another
 * one than Whirlwind computes is refused, never ignored.
 */
final class ConfigReader {
    /** Parameters. */
    private static final double LARGEST_MODEL = 1e15;

    private static final int MOST_LAYERS = 10_000;

    private final ObjectNode json;
    private final String source;

    ConfigReader(ObjectNode json, String source) {
        this.json = json;
        this.source = source;
    }

    ModelConfig read() {
        JsonNode type = json.path("model_type");
        if (!type.isString()) {
            throw new UserException(source + ": has no \"model_type\"; give a Hugging Face config.json");
        }
        Architecture architecture = Architecture.of(type.stringValue(), source);
        ModelConfig config = architecture == Architecture.GPT2 ? gpt2() : llamaLike(architecture);
        refuseExcess(config);
        if (config.heads() % config.kvHeads() != 0) {
            throw new UserException(source + ": num_attention_heads " + config.heads()
                    + " is not a multiple of num_key_value_heads " + config.kvHeads());
        }
        if (config.rope() != null && config.headDim() % 2 != 0) {
            throw new UserException(source + ": head_dim " + config.headDim() + " is odd; rotary positions need pairs");
        }
        return config;
    }

    /** Sizes whose products would not fit the arithmetic that follows. */
    private void refuseExcess(ModelConfig config) {
        double queriesKeysValues = (config.heads() + 2.0 * config.kvHeads()) * config.headDim();
        double widest = Math.max(queriesKeysValues, 2.0 * config.intermediateSize());
        double rows = 2.0 * config.vocabularySize() + config.maxPositions() + 4 * widest * config.layers();
        if (config.layers() > MOST_LAYERS || widest > Integer.MAX_VALUE || rows * config.hiddenSize() > LARGEST_MODEL) {
            throw new UserException(
                    source
                            + ": its sizes make a model larger than any machine; check hidden_size, num_hidden_layers and the others");
        }
    }

    private ModelConfig gpt2() {
        require(
                "activation_function",
                json.path("activation_function").asString("gelu_new"),
                "gelu_new",
                "gelu_pytorch_tanh");
        requireFlag("scale_attn_weights", true, true);
        requireFlag("scale_attn_by_inverse_layer_idx", false, false);
        requireFlag("add_cross_attention", false, false);
        int hidden = size("n_embd", 768);
        int heads = size("n_head", 12);
        if (hidden % heads != 0) {
            throw new UserException(source + ": n_embd " + hidden + " is not a multiple of n_head " + heads);
        }
        return new ModelConfig(
                Architecture.GPT2,
                size("vocab_size", 50257),
                hidden,
                size("n_inner", 4 * hidden),
                size("n_layer", 12),
                heads,
                heads,
                hidden / heads,
                size("n_positions", 1024),
                number("layer_norm_epsilon", 1e-5),
                null,
                0,
                false,
                true,
                true,
                true,
                flag(ModelConfig.TIED, true),
                rate("embd_pdrop", 0.1),
                rate("attn_pdrop", 0.1),
                rate("resid_pdrop", 0.1),
                number("initializer_range", 0.02),
                token("bos_token_id"),
                token("eos_token_id"),
                json);
    }

    private ModelConfig llamaLike(Architecture architecture) {
        require("hidden_act", json.path("hidden_act").asString("silu"), "silu", "swish");
        int hidden = size("hidden_size", 0);
        int heads = size("num_attention_heads", 0);
        boolean llama = architecture == Architecture.LLAMA;
        boolean attentionBias = (llama || architecture == Architecture.QWEN3) && flag("attention_bias", false);
        int defaultHeadDim = architecture == Architecture.QWEN3 ? 128 : hidden / heads;
        int headDim = size("head_dim", defaultHeadDim);
        if (!json.path("head_dim").isNumber() && architecture != Architecture.QWEN3 && hidden % heads != 0) {
            throw new UserException(source + ": hidden_size " + hidden + " is not a multiple of num_attention_heads "
                    + heads + " and there is no head_dim");
        }
        int layers = size("num_hidden_layers", 0);
        int defaultKvHeads = switch (architecture) {
            case MISTRAL -> 8;
            case QWEN2, QWEN3 -> 32;
            default -> heads;
        };
        int defaultPositions = switch (architecture) {
            case MISTRAL -> 131072;
            case QWEN2, QWEN3 -> 32768;
            default -> 2048;
        };
        return new ModelConfig(
                architecture,
                size("vocab_size", 0),
                hidden,
                size("intermediate_size", 0),
                layers,
                heads,
                size("num_key_value_heads", defaultKvHeads),
                headDim,
                size("max_position_embeddings", defaultPositions),
                number("rms_norm_eps", 1e-6),
                rope(headDim),
                window(architecture, layers),
                architecture == Architecture.QWEN3,
                architecture == Architecture.QWEN2 || attentionBias,
                attentionBias,
                llama && flag("mlp_bias", false),
                flag(ModelConfig.TIED, false),
                0,
                rate("attention_dropout", 0),
                0,
                number("initializer_range", 0.02),
                token("bos_token_id"),
                token("eos_token_id"),
                json);
    }

    private Rope rope(int headDim) {
        JsonNode parameters = json.path("rope_parameters");
        JsonNode scaling = parameters.isObject() ? parameters : json.path("rope_scaling");
        JsonNode theta = parameters.isObject() && parameters.has("rope_theta")
                ? parameters.path("rope_theta")
                : json.path("rope_theta");
        String type = scaling.path("rope_type").asString(scaling.path("type").asString("default"));
        require("rope_type", type, "default", "linear", "llama3");
        double partial = positive(
                scaling.path("partial_rotary_factor"),
                "partial_rotary_factor",
                positive(json.path("partial_rotary_factor"), "partial_rotary_factor", 1));
        if (partial != 1) {
            throw new UserException(
                    source + ": partial_rotary_factor " + partial + " is not supported (of head_dim " + headDim + ")");
        }
        boolean llama3 = type.equals("llama3");
        return new Rope(
                positive(theta, "rope_theta", 10000),
                type,
                type.equals("default") ? 1 : ropeNumber(scaling, "factor"),
                llama3 ? ropeNumber(scaling, "low_freq_factor") : 1,
                llama3 ? ropeNumber(scaling, "high_freq_factor") : 1,
                llama3 ? (int) ropeNumber(scaling, "original_max_position_embeddings") : 0);
    }

    private double ropeNumber(JsonNode scaling, String key) {
        if (!scaling.path(key).isNumber()) {
            throw new UserException(source + ": rope scaling has no number \"" + key + "\"");
        }
        return positive(scaling.path(key), key, 1);
    }

    private double positive(JsonNode node, String key, double byDefault) {
        if (node.isMissingNode() || node.isNull()) {
            return byDefault;
        }
        if (!node.isNumber() || !(node.doubleValue() > 0)) {
            throw new UserException(source + ": \"" + key + "\" is " + node + ", not a number above 0");
        }
        return node.doubleValue();
    }

    /** Mistral slides always, Qwen only when use_sliding_window says so; all layers must do the same. */
    private int window(Architecture architecture, int layers) {
        boolean uses = switch (architecture) {
            case MISTRAL -> true;
            case QWEN2, QWEN3 -> flag("use_sliding_window", false);
            default -> false;
        };
        if (!uses) {
            return 0;
        }
        Set<String> kinds = new HashSet<>();
        json.path("layer_types").forEach(kind -> kinds.add(kind.asString("")));
        if (kinds.isEmpty() && architecture != Architecture.MISTRAL) {
            // Qwen slides from layer max_window_layers on.
            int full = json.path("max_window_layers").asInt(28);
            if (full >= layers) {
                return 0;
            }
            kinds.add("sliding_attention");
            if (full > 0) {
                kinds.add("full_attention");
            }
        }
        if (kinds.size() > 1) {
            throw new UserException(
                    source + ": mixes layers with and without a sliding window, which is not supported; "
                            + "set use_sliding_window to false to train with full attention");
        }
        if (kinds.contains("full_attention")) {
            return 0;
        }
        JsonNode window = json.path("sliding_window");
        return window.isNull() ? 0 : size("sliding_window", 4096);
    }

    private int size(String key, int byDefault) {
        JsonNode node = json.path(key);
        if (node.isMissingNode() || node.isNull()) {
            if (byDefault == 0) {
                throw new UserException(source + ": \"" + key + "\" is missing");
            }
            return byDefault;
        }
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() <= 0) {
            throw new UserException(source + ": \"" + key + "\" is " + node + ", not a positive whole number");
        }
        return node.intValue();
    }

    private float number(String key, double byDefault) {
        JsonNode node = json.path(key);
        if (node.isMissingNode() || node.isNull()) {
            return (float) byDefault;
        }
        if (!node.isNumber() || !(node.doubleValue() >= 0)) {
            throw new UserException(source + ": \"" + key + "\" is " + node + ", not a number of 0 or more");
        }
        return (float) node.doubleValue();
    }

    private float rate(String key, double byDefault) {
        float rate = number(key, byDefault);
        if (rate >= 1) {
            throw new UserException(source + ": \"" + key + "\" is " + rate + ", not below 1");
        }
        return rate;
    }

    private boolean flag(String key, boolean byDefault) {
        JsonNode node = json.path(key);
        if (node.isMissingNode() || node.isNull()) {
            return byDefault;
        }
        if (!node.isBoolean()) {
            throw new UserException(source + ": \"" + key + "\" is " + node + ", not true or false");
        }
        return node.booleanValue();
    }

    private int token(String key) {
        JsonNode node = json.path(key);
        return (node.isArray() ? node.path(0) : node).asInt(-1);
    }

    private void requireFlag(String key, boolean byDefault, boolean needed) {
        if (flag(key, byDefault) != needed) {
            throw new UserException(source + ": \"" + key + "\": " + !needed + " is not supported");
        }
    }

    private void require(String key, String value, String... supported) {
        for (String one : supported) {
            if (one.equals(value)) {
                return;
            }
        }
        throw new UserException(
                source + ": \"" + key + "\": \"" + value + "\" is not supported, only " + String.join(", ", supported));
    }
}
