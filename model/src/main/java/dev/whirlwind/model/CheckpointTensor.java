package dev.whirlwind.model;

import java.util.ArrayList;
import java.util.List;

/**
 * A tensor of a Hugging Face checkpoint and its range in the arena of a {@link ParameterLayout}.
 *
 * @param name as {@code transformers} saves it
 * @param shape as it is on disk
 * @param offset first float in the arena
 * @param transposed whether the file holds [in, out], as GPT-2's Conv1D does, where the arena holds [out, in]
 */
public record CheckpointTensor(String name, List<Long> shape, long offset, boolean transposed) {
    /** What PEFT puts before the names of all that an adapter's file holds. */
    public static final String ADAPTER = "base_model.model.";

    /** Whether it is an adapter's own, and none of the model. */
    public boolean isOfAdapter() {
        return name.startsWith(ADAPTER);
    }

    /** Number of floats. */
    public long size() {
        return shape.stream().reduce(1L, Math::multiplyExact);
    }

    /** Where element i, as files have it, lies in the arena. */
    public long place(long i) {
        if (!transposed) {
            return offset + i;
        }
        long in = shape.get(0);
        long out = shape.get(1);
        return offset + i % out * in + i / out;
    }

    /** The same at another place. */
    public CheckpointTensor at(long other) {
        return new CheckpointTensor(name, shape, other, transposed);
    }

    /** The name of the token embedding. */
    static String tokenEmbedding(ModelConfig config) {
        return config.architecture().prefix() + (config.isGpt2() ? "wte.weight" : "embed_tokens.weight");
    }

    /** All tensors of a model, in the order of its layers. */
    static List<CheckpointTensor> of(ParameterLayout layout) {
        List<CheckpointTensor> tensors = new ArrayList<>();
        if (layout.config().isGpt2()) {
            gpt2(layout, tensors);
        } else {
            llamaLike(layout, tensors);
        }
        return tensors;
    }

    private static void gpt2(ParameterLayout layout, List<CheckpointTensor> out) {
        whole(layout, out, tokenEmbedding(layout.config()), "token_embedding.weight", 0, false);
        whole(layout, out, "transformer.wpe.weight", "position_embedding.weight", 0, false);
        for (int layer = 0; layer < layout.config().layers(); layer++) {
            String h = "transformer.h." + layer + ".";
            both(layout, out, h + "ln_1", "norm1", layer, false);
            both(layout, out, h + "attn.c_attn", "attention.qkv", layer, true);
            both(layout, out, h + "attn.c_proj", "attention.out", layer, true);
            both(layout, out, h + "ln_2", "norm2", layer, false);
            both(layout, out, h + "mlp.c_fc", "mlp.up", layer, true);
            both(layout, out, h + "mlp.c_proj", "mlp.down", layer, true);
        }
        both(layout, out, "transformer.ln_f", "final_norm", 0, false);
        if (!layout.config().tied()) {
            whole(layout, out, "lm_head.weight", "head.weight", 0, false);
        }
    }

    private static void llamaLike(ParameterLayout layout, List<CheckpointTensor> out) {
        ModelConfig config = layout.config();
        int queries = config.heads() * config.headDim();
        int keys = config.kvHeads() * config.headDim();
        int intermediate = config.intermediateSize();
        whole(layout, out, tokenEmbedding(config), "token_embedding.weight", 0, false);
        for (int layer = 0; layer < config.layers(); layer++) {
            String name = "model.layers." + layer + ".";
            whole(layout, out, name + "input_layernorm.weight", "norm1.weight", layer, false);
            part(layout, out, name + "self_attn.q_proj", "attention.qkv", layer, 0, queries);
            part(layout, out, name + "self_attn.k_proj", "attention.qkv", layer, queries, keys);
            part(layout, out, name + "self_attn.v_proj", "attention.qkv", layer, queries + keys, keys);
            whole(layout, out, name + "self_attn.q_norm.weight", "attention.query_norm.weight", layer, false);
            whole(layout, out, name + "self_attn.k_norm.weight", "attention.key_norm.weight", layer, false);
            both(layout, out, name + "self_attn.o_proj", "attention.out", layer, false);
            whole(layout, out, name + "post_attention_layernorm.weight", "norm2.weight", layer, false);
            part(layout, out, name + "mlp.gate_proj", "mlp.up", layer, 0, intermediate);
            part(layout, out, name + "mlp.up_proj", "mlp.up", layer, intermediate, intermediate);
            both(layout, out, name + "mlp.down_proj", "mlp.down", layer, false);
        }
        whole(layout, out, "model.norm.weight", "final_norm.weight", 0, false);
        if (!config.tied()) {
            whole(layout, out, "lm_head.weight", "head.weight", 0, false);
        }
    }

    /** Weight and, where the architecture has one, bias. */
    private static void both(
            ParameterLayout layout,
            List<CheckpointTensor> out,
            String name,
            String parameter,
            int layer,
            boolean transposed) {
        whole(layout, out, name + ".weight", parameter + ".weight", layer, transposed);
        whole(layout, out, name + ".bias", parameter + ".bias", layer, false);
    }

    private static void whole(
            ParameterLayout layout,
            List<CheckpointTensor> out,
            String name,
            String parameter,
            int layer,
            boolean transposed) {
        if (layout.has(parameter, layer)) {
            ParameterLayout.Parameter p = layout.parameter(parameter);
            List<Long> shape = !p.decayed()
                    ? List.of((long) p.columns())
                    : transposed
                            ? List.of((long) p.columns(), (long) p.rows())
                            : List.of((long) p.rows(), (long) p.columns());
            out.add(new CheckpointTensor(name, shape, p.offset(layer), transposed));
        }
    }

    /** Some outputs of a fused linear: rows of its weight, elements of its bias. */
    private static void part(
            ParameterLayout layout,
            List<CheckpointTensor> out,
            String name,
            String parameter,
            int layer,
            int firstRow,
            int rows) {
        slice(layout, out, name + ".weight", parameter + ".weight", layer, firstRow, rows);
        slice(layout, out, name + ".bias", parameter + ".bias", layer, firstRow, rows);
    }

    private static void slice(
            ParameterLayout layout,
            List<CheckpointTensor> out,
            String name,
            String parameter,
            int layer,
            int firstRow,
            int rows) {
        if (layout.has(parameter, layer)) {
            ParameterLayout.Parameter p = layout.parameter(parameter);
            long width = p.decayed() ? p.columns() : 1;
            List<Long> shape = p.decayed() ? List.of((long) rows, width) : List.of((long) rows);
            out.add(new CheckpointTensor(name, shape, p.offset(layer) + firstRow * width, false));
        }
    }
}
