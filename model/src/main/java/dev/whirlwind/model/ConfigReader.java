package dev.whirlwind.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
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
    private static final String FULL = "full_attention";
    private static final String SLIDING = "sliding_attention";

    /** Floats: kernels count some of them by int, rounded up to whole tasks. */
    private static final int LONGEST_ROW = 1 << 28;

    private static final int LARGEST_HEAD = 1 << 16;

    private final ConfigFields fields;

    ConfigReader(ObjectNode json, String source) {
        fields = new ConfigFields(json, source);
    }

    ModelConfig read() {
        JsonNode type = fields.json().path("model_type");
        if (!type.isString()) {
            throw new UserException(fields.source() + ": has no \"model_type\"; give a Hugging Face config.json");
        }
        Architecture architecture = Architecture.of(type.stringValue(), fields.source());
        ModelConfig config = architecture == Architecture.GPT2 ? gpt2() : llamaLike(architecture);
        refuseExcess(config);
        if (config.heads() % config.kvHeads() != 0) {
            throw new UserException(fields.source() + ": num_attention_heads " + config.heads()
                    + " is not a multiple of num_key_value_heads " + config.kvHeads());
        }
        return config;
    }

    /** Sizes whose products would not fit the arithmetic that follows. */
    private void refuseExcess(ModelConfig config) {
        double queriesKeysValues = (config.heads() + 2.0 * config.kvHeads()) * config.headDim();
        double widest = Math.max(queriesKeysValues, 2.0 * config.intermediateSize());
        int longestRow = Math.max(config.hiddenSize(), config.vocabularySize());
        double rows = 2.0 * config.vocabularySize() + config.maxPositions() + 4 * widest * config.layers();
        if (config.headDim() > LARGEST_HEAD
                || Math.max(widest, longestRow) > LONGEST_ROW
                || rows * config.hiddenSize() > LARGEST_MODEL) {
            throw excess();
        }
    }

    private UserException excess() {
        return new UserException(
                fields.source()
                        + ": its sizes make a model larger than any machine; check hidden_size, num_hidden_layers and the others");
    }

    private ModelConfig gpt2() {
        if (fields.flag("add_cross_attention", false)) {
            throw fields.error("add_cross_attention", "is true, which is not supported");
        }
        int hidden = size("n_embd", "hidden_size", 768);
        int heads = size("n_head", "num_attention_heads", 12);
        if (hidden % heads != 0) {
            throw new UserException(fields.source() + ": n_embd " + hidden + " is not a multiple of n_head " + heads);
        }
        int layers = layers(size("n_layer", "num_hidden_layers", 12));
        return new ModelConfig(
                Architecture.GPT2,
                fields.size("vocab_size", 50257),
                hidden,
                // Of a hidden size whose fourfold is no int, refuseExcess tells.
                fields.size("n_inner", (int) Math.min(4L * hidden, Integer.MAX_VALUE)),
                layers,
                heads,
                heads,
                hidden / heads,
                size("n_positions", "max_position_embeddings", 1024),
                fields.number("layer_norm_epsilon", 1e-5),
                null,
                scaledLayers(layers, hidden / heads),
                activation("activation_function", "gelu_new"),
                false,
                true,
                true,
                true,
                fields.flag(ModelConfig.TIED, true),
                fields.rate("embd_pdrop", 0.1),
                fields.rate("attn_pdrop", 0.1),
                fields.rate("resid_pdrop", 0.1),
                fields.number("initializer_range", 0.02),
                token("bos_token_id"),
                token("eos_token_id"),
                fields.json());
    }

    private ModelConfig llamaLike(Architecture architecture) {
        int hidden = fields.size("hidden_size");
        int heads = fields.size("num_attention_heads");
        boolean llama = architecture == Architecture.LLAMA;
        boolean attentionBias = (llama || architecture == Architecture.QWEN3) && fields.flag("attention_bias", false);
        int headDim = fields.size("head_dim", architecture == Architecture.QWEN3 ? 128 : Math.max(1, hidden / heads));
        if (!fields.has("head_dim") && architecture != Architecture.QWEN3 && hidden % heads != 0) {
            throw new UserException(fields.source() + ": hidden_size " + hidden
                    + " is not a multiple of num_attention_heads " + heads + " and there is no head_dim");
        }
        int layers = layers(fields.size("num_hidden_layers"));
        int positions = fields.size(
                "max_position_embeddings",
                switch (architecture) {
                    case MISTRAL -> 131072;
                    case QWEN2, QWEN3 -> 32768;
                    default -> 2048;
                });
        return new ModelConfig(
                architecture,
                fields.size("vocab_size"),
                hidden,
                fields.size("intermediate_size"),
                layers,
                heads,
                kvHeads(architecture, heads),
                headDim,
                positions,
                fields.number("rms_norm_eps", 1e-6),
                new RopeReader(fields, headDim, positions).read(),
                slidingLayers(architecture, layers, headDim),
                activation("hidden_act", "silu"),
                architecture == Architecture.QWEN3,
                architecture == Architecture.QWEN2 || attentionBias,
                attentionBias,
                llama && fields.flag("mlp_bias", false),
                fields.flag(ModelConfig.TIED, false),
                0,
                fields.rate("attention_dropout", 0),
                0,
                fields.number("initializer_range", 0.02),
                token("bos_token_id"),
                token("eos_token_id"),
                fields.json());
    }

    /** Null means as many as there are query heads; left out, it is a number of the family's. */
    private int kvHeads(Architecture architecture, int heads) {
        boolean isNull = fields.json().path("num_key_value_heads").isNull();
        return fields.size(
                "num_key_value_heads",
                isNull
                        ? heads
                        : switch (architecture) {
                            case MISTRAL -> 8;
                            case QWEN2, QWEN3 -> 32;
                            default -> heads;
                        });
    }

    private Activation activation(String key, String byDefault) {
        String name = fields.text(key, byDefault);
        Activation activation = Activation.BY_NAME.get(name);
        if (activation == null) {
            throw fields.error(
                    key,
                    "\"" + Reason.cited(name) + "\" is not supported, only "
                            + String.join(", ", Activation.BY_NAME.keySet()));
        }
        return activation;
    }

    // ---------------------------------------------------------------------------------------------- layers

    private int layers(int layers) {
        if (layers > MOST_LAYERS) {
            throw excess();
        }
        return layers;
    }

    /** GPT-2 may leave scores unscaled, and may divide those of layer l by l + 1. */
    private List<AttentionLayer> scaledLayers(int layers, int headDim) {
        int common = fields.flag("scale_attn_weights", true) ? headDim : 1;
        if (!fields.flag("scale_attn_by_inverse_layer_idx", false)) {
            return List.of(new AttentionLayer(0, common));
        }
        List<AttentionLayer> each = new ArrayList<>();
        for (int number = 1; number <= layers; number++) {
            long squaredDivisor = (long) common * number * number;
            if (squaredDivisor > Integer.MAX_VALUE) {
                throw excess();
            }
            each.add(new AttentionLayer(0, (int) squaredDivisor));
        }
        return each;
    }

    /** layer_types says which layers have the sliding window; else all of Mistral's, and the last of Qwen's. */
    private List<AttentionLayer> slidingLayers(Architecture architecture, int layers, int headDim) {
        AttentionLayer full = new AttentionLayer(0, headDim);
        boolean qwen = architecture == Architecture.QWEN2 || architecture == Architecture.QWEN3;
        if (!qwen && architecture != Architecture.MISTRAL) {
            return List.of(full);
        }
        boolean slides = (!qwen || fields.flag("use_sliding_window", false))
                && !fields.json().path("sliding_window").isNull();
        AttentionLayer sliding = slides ? new AttentionLayer(fields.size("sliding_window", 4096), headDim) : full;
        List<AttentionLayer> each = new ArrayList<>();
        if (fields.has("layer_types")) {
            for (JsonNode type : fields.json().path("layer_types")) {
                each.add(
                        switch (type.asString("")) {
                            case FULL, "attention" -> full;
                            case SLIDING -> requireWindow(sliding);
                            default ->
                                throw fields.error(
                                        "layer_types",
                                        "has " + Reason.cited(type) + ", which is not supported, only " + FULL + " and "
                                                + SLIDING);
                        });
            }
            if (each.size() != layers) {
                throw fields.error("layer_types", "names " + each.size() + " layers, but there are " + layers);
            }
        } else {
            float firstSliding = qwen ? fields.number("max_window_layers", 28) : 0;
            for (int layer = 0; layer < layers; layer++) {
                each.add(layer >= firstSliding ? sliding : full);
            }
        }
        return Collections.frequency(each, each.getFirst()) == layers ? List.of(each.getFirst()) : each;
    }

    private AttentionLayer requireWindow(AttentionLayer sliding) {
        if (sliding.window() == 0) {
            throw fields.error(
                    "layer_types",
                    "has " + SLIDING + ", but there is no window: set sliding_window (Qwen: and use_sliding_window),"
                            + " or name only " + FULL);
        }
        return sliding;
    }

    // ---------------------------------------------------------------------------------------------- fields

    /** GPT-2's sizes have second names. */
    private int size(String key, String other, int byDefault) {
        return fields.has(key) ? fields.size(key) : fields.size(other, byDefault);
    }

    private int token(String key) {
        JsonNode node = fields.json().path(key);
        return (node.isArray() ? node.path(0) : node).asInt(-1);
    }
}
