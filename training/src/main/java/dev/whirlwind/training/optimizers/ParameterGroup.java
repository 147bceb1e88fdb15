package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Parameters that are updated alike: a place in the arena of weights, one in that of gradients, and one in those of moments.
 *
 * @param kind of the layout's parameters
 * @param place first float in arenas of moments, for layer 0
 * @param stride floats from one layer to the next in these; 0 for what is not part of a layer
 * @param rows of a matrix; 1 for a vector
 * @param decayed whether weight decay acts on them
 * @param firstLayer the layer of the first factor
 * @param factors what the learning rate is multiplied by in each layer; 0 where they are frozen
 */
record ParameterGroup(
        String kind,
        Tensor weights,
        Tensor gradients,
        long place,
        long stride,
        int rows,
        long length,
        boolean decayed,
        int firstLayer,
        List<Double> factors) {

    /** Slices start at whole cache lines. */
    private static final int ALIGNMENT = 16;

    int columns() {
        return Math.toIntExact(length / rows);
    }

    /** Their place in an arena of what is trained. */
    Tensor in(Buffer arena) {
        return new Tensor(arena, place, stride);
    }

    boolean perLayer() {
        return stride > 0;
    }

    /** The same in an arena that is laid out as weights are. */
    Tensor likeWeights(Buffer arena) {
        return new Tensor(arena, weights.offset(), weights.stride());
    }

    /** Does something for each layer of a stage that is trained, at its learning rate. */
    void forEachLayer(Inputs inputs, Stage stage, IntConsumer update) {
        float rate = inputs.learningRate;
        for (int i = 0; i < factors.size(); i++) {
            if (factors.get(i) != 0 && stage.has(this, firstLayer + i)) {
                inputs.learningRate = (float) (rate * factors.get(i));
                update.accept(firstLayer + i);
            }
        }
        inputs.learningRate = rate;
    }

    /** Fewer and larger groups of the same parameters: what lies side by side with the same factors is one. */
    static List<ParameterGroup> merged(List<ParameterGroup> parts) {
        return joined(joined(parts).stream().map(ParameterGroup::flat).toList());
    }

    private static List<ParameterGroup> joined(List<ParameterGroup> parts) {
        List<ParameterGroup> joined = new ArrayList<>();
        for (ParameterGroup part : parts) {
            if (!joined.isEmpty() && joined.getLast().adjoins(part)) {
                joined.add(joined.removeLast().with(part));
            } else {
                joined.add(part);
            }
        }
        return joined;
    }

    /** Parts of a slice side by side, or ranges that are no slices; padding may lie between these. */
    private boolean adjoins(ParameterGroup next) {
        boolean inSlice = weights.stride() == 0 || kind.equals(next.kind);
        long gap = next.weights.offset() - weights.offset() - length;
        return inSlice
                && gap >= 0
                && gap < ALIGNMENT
                && gap == next.gradients.offset() - gradients.offset() - length
                && gap == next.place - place - length
                && decayed == next.decayed
                && weights.stride() == next.weights.stride()
                && firstLayer == next.firstLayer
                && factors.equals(next.factors);
    }

    private ParameterGroup with(ParameterGroup next) {
        long both = next.weights.offset() + next.length - weights.offset();
        return new ParameterGroup(kind, weights, gradients, place, stride, 1, both, decayed, firstLayer, factors);
    }

    /** As one range of all layers, where they are whole slices of one factor. */
    private ParameterGroup flat() {
        boolean together = weights.stride() == stride && gradients.stride() == stride;
        boolean uniform = factors.stream().distinct().count() == 1;
        if (stride == 0 || stride - length >= ALIGNMENT || !together || !uniform) {
            return this;
        }
        return new ParameterGroup(
                kind,
                weights.at(firstLayer),
                gradients.at(firstLayer),
                place + firstLayer * stride,
                0,
                1,
                stride * factors.size(),
                decayed,
                0,
                factors.subList(0, 1));
    }
}
