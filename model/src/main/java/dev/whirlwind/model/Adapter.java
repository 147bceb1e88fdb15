package dev.whirlwind.model;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.Set;

/**
 * What low-rank adapters add to a model's linear layers.
 *
 * @param modules by the layers' names in the checkpoint, such as {@code model.layers.0.self_attn.q_proj}
 * @param dropout probability of dropping an element of what the adapters see, in training
 * @param saved the model's own tensors that are trained as a whole beside them
 */
public record Adapter(SequencedMap<String, Lora> modules, float dropout, Set<String> saved) {
    /** None. */
    public static final Adapter NONE = new Adapter(new LinkedHashMap<>(), 0, Set.of());

    /**
     * LoRA (arXiv 2106.09685): y = W x becomes y = W x + scale B A x, with A [rank, in] and B [out, rank].
     *
     * @param magnitudes DoRA (arXiv 2402.09353): each row of W + scale B A is then given a norm of its own, m [out]; what it
     *     is divided by counts as a constant in the gradient, as in section 4.3
     */
    public record Lora(int rank, float scale, boolean magnitudes) {}

    public Adapter {
        modules = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(modules));
        saved = Set.copyOf(saved);
    }

    public boolean isNone() {
        return modules.isEmpty();
    }

    /** Whether a tensor belongs to what is trained where an adapter is. */
    public boolean has(CheckpointTensor tensor) {
        return tensor.isOfAdapter() || saved.contains(tensor.name());
    }

    /** The module that a weight belongs to. */
    public static String module(String weight) {
        return weight.endsWith(".weight") ? weight.substring(0, weight.length() - ".weight".length()) : weight;
    }
}
