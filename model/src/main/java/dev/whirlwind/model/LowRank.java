package dev.whirlwind.model;

import java.util.List;

/**
 * The adapters of one kind of linear layer, in those of a model's layers that have the same. The kind's matrix may hold
 * several modules below each other, as queries, keys and values are; what their adapters first make of the input is one
 * product, with their A below each other.
 *
 * @param kind the layer's weight, such as "attention.qkv.weight"
 * @param name what its parameters begin with
 * @param parts of the modules that have one
 * @param layers those that it is of
 */
record LowRank(String kind, String name, int inWidth, int outWidth, List<Part> parts, List<Integer> layers) {
    /**
     * One module's.
     *
     * @param firstRow of the module in the kind's matrix
     * @param rows of the module
     * @param firstRank of its A among those of all parts
     */
    record Part(int firstRow, int rows, int firstRank, Adapter.Lora lora) {}

    LowRank {
        parts = List.copyOf(parts);
        layers = List.copyOf(layers);
    }

    /** Rows of all A. */
    int rank() {
        return parts.getLast().firstRank() + parts.getLast().lora().rank();
    }

    boolean hasMagnitudes() {
        return parts.stream().anyMatch(part -> part.lora().magnitudes());
    }

    /** The parameter of all A, [rank, in]. */
    String a() {
        return name + ".lora_A.weight";
    }

    /** A part's B, [rows, its rank]. */
    String b(int part) {
        return name + "." + part + ".lora_B.weight";
    }

    /** A part's magnitudes, [rows]. */
    String magnitudes(int part) {
        return name + "." + part + ".lora_magnitude_vector";
    }
}
