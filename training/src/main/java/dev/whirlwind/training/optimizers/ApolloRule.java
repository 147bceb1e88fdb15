package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;
import java.util.stream.Collectors;

/**
 * APOLLO (Zhu et al., arXiv 2412.05270): a layer's matrix moves along its gradient, of which each row, or column where there are
 * more of these, is scaled as AdamW would scale a random projection of it on a few directions. AdamW's means are of the projection
 * only. With one direction a matrix is scaled as a whole (APOLLO-Mini). A matrix is a tensor of the checkpoint; embeddings, head
 * and vectors are AdamW's.
 *
 * <p>Directions are uniform random numbers of a variance of 1 / rank that follow from the seed, so they are not kept. Steps are
 * scaled by sqrt(width / rank), with which they are as long as AdamW's (the paper's theorem 4.1), and one learning rate suits
 * both. The paper's limit on how fast a step may grow is left out: the gradient's norm is clipped.
 */
public final class ApolloRule implements UpdateRule {
    /** What no micro-batch is called: directions are other random numbers than dropout's. */
    private static final int DIRECTIONS = -1;

    private final Engine engine;
    private final ParameterLayout layout;
    private final AdamW settings;
    private final int rank;
    private final int refresh;
    private final List<Part> parts = new ArrayList<>();
    private final Buffer m;
    private final Buffer v;
    private final Tensor directions;
    private final Tensor projected;
    private final Tensor step;
    private final Tensor before;
    private final Tensor after;
    private final Tensor others;

    /**
     * A kind of tensor.
     *
     * @param first where its means start
     */
    private record Part(ParameterGroup group, int rank, long first, Program scale, Program move) {
        boolean isMatrix() {
            return group.decayed() && group.perLayer();
        }

        boolean ofRows() {
            return group.columns() <= group.rows();
        }

        int smaller() {
            return Math.min(group.rows(), group.columns());
        }

        int larger() {
            return Math.max(group.rows(), group.columns());
        }

        long means() {
            return isMatrix() ? (long) rank * larger() : group.length();
        }

        /** Its means, of which the layers' follow each other. */
        Tensor in(Buffer arena) {
            long stride = group.perLayer() ? means() : 0;
            return new Tensor(arena, first - group.firstLayer() * stride, stride);
        }
    }

    private ApolloRule(ParameterGroups groups, AdamW settings, int rank, int refresh) {
        this.settings = settings;
        this.rank = rank;
        this.refresh = refresh;
        engine = groups.engine();
        layout = groups.gradients().layout();
        List<Long> starts = new ArrayList<>();
        long length = 0;
        for (ParameterGroup group : groups.parts()) {
            int index = parts.size();
            int ofPart = Math.min(rank, Math.min(group.rows(), group.columns()));
            Program scale = ops -> scale(ops, parts.get(index));
            Part part = new Part(group, ofPart, length, scale, ops -> move(ops, parts.get(index)));
            parts.add(part);
            for (int i = 0; i < group.factors().size(); i++) {
                starts.add(length);
                length += part.means();
            }
        }
        long[] slices = starts.stream().mapToLong(start -> start).toArray();
        m = engine.allocate("apollo.m", length, slices);
        v = engine.allocate("apollo.v", length, slices);
        directions = scratch("directions", part -> part.rank() * part.smaller());
        projected = scratch("projected", part -> part.rank() * part.larger());
        step = scratch("step", part -> part.rank() * part.larger());
        before = scratch("before", Part::larger);
        after = scratch("after", Part::larger);
        others = scratch("others", Part::larger);
    }

    private Tensor scratch(String name, ToIntFunction<Part> length) {
        int most = parts.stream().filter(Part::isMatrix).mapToInt(length).max().orElse(1);
        return new Tensor(engine.allocate("apollo." + name, most), 0, 0);
    }

    /**
     * APOLLO.
     *
     * @param settings AdamW's, also for what it does not act on
     * @param rank directions; a matrix has no more than its smaller side
     * @param refresh updates after which directions are others
     */
    public static Kind of(AdamW settings, int rank, int refresh) {
        return groups -> new ApolloRule(groups, settings, rank, refresh);
    }

    @Override
    public void update(Inputs inputs, long t, Stage stage) {
        AdamWRule.correctBiases(inputs, settings, t);
        int now = inputs.step;
        int microBatch = inputs.microBatch;
        inputs.secondMomentDecay = 0;
        for (Part part : parts) {
            part.group().forEachLayer(inputs, stage, layer -> {
                if (part.isMatrix()) {
                    float rate = inputs.learningRate;
                    inputs.learningRate = 1;
                    inputs.step = Math.toIntExact((t - 1) / refresh);
                    inputs.microBatch = DIRECTIONS;
                    engine.run(part.scale(), inputs, layer);
                    inputs.learningRate = rate;
                    inputs.step = now;
                    inputs.microBatch = microBatch;
                }
                engine.run(part.move(), inputs, layer);
            });
        }
    }

    /** Makes a gradient the direction of the step. */
    private void scale(Ops ops, Part part) {
        ParameterGroup group = part.group();
        int rows = group.rows();
        int columns = group.columns();
        int ofPart = part.rank();
        long length = part.means();
        ops.zero(directions, (long) ofPart * part.smaller());
        ops.addNoise(directions, ofPart, part.smaller(), (float) Math.sqrt(3.0 / ofPart));
        ops.project(projected, group.gradients(), directions, rows, columns, ofPart);
        means(ops, before, projected, part);
        ops.zero(step, length);
        AdamW plain = new AdamW(settings.beta1(), settings.beta2(), settings.eps(), 0);
        ops.adamw(step, projected, part.in(m), part.in(v), length, plain);
        means(ops, after, step, part);
        if (rank == 1) {
            ops.scaleByRoots(group.gradients(), after, before, 1, Math.toIntExact(group.length()), true);
        } else {
            ops.scaleByRoots(group.gradients(), after, before, rows, columns, part.ofRows());
        }
    }

    /** Mean squares of a projection's rows or columns; of all of it with one direction. */
    private void means(Ops ops, Tensor means, Tensor x, Part part) {
        if (rank == 1) {
            ops.factoredMoments(means, others, x, 1, part.larger());
        } else if (part.ofRows()) {
            ops.factoredMoments(means, others, x, part.larger(), part.rank());
        } else {
            ops.factoredMoments(others, means, x, part.rank(), part.larger());
        }
    }

    private void move(Ops ops, Part part) {
        ParameterGroup group = part.group();
        if (part.isMatrix()) {
            float factor = (float) Math.sqrt((double) part.smaller() / part.rank());
            ops.descend(group.weights(), group.gradients(), group.length(), factor, settings.weightDecay());
            ops.zero(group.gradients(), group.length());
        } else {
            ops.adamw(
                    group.weights(),
                    group.gradients(),
                    part.in(m),
                    part.in(v),
                    group.length(),
                    AdamWRule.of(settings, group));
        }
    }

    @Override
    public List<State> state() {
        Map<Long, CheckpointTensor> named = layout.checkpointTensors().stream()
                .collect(Collectors.toMap(CheckpointTensor::offset, tensor -> tensor));
        List<CheckpointTensor> tensors = new ArrayList<>();
        for (Part part : parts) {
            ParameterGroup group = part.group();
            for (int i = 0; i < group.factors().size(); i++) {
                int layer = group.firstLayer() + i;
                CheckpointTensor tensor = named.get(group.place() + layer * group.stride());
                if (tensor == null) {
                    continue;
                }
                long at = part.in(m).offset(layer);
                List<Long> shape = List.of((long) part.rank(), (long) part.larger());
                tensors.add(part.isMatrix() ? new CheckpointTensor(tensor.name(), shape, at, false) : tensor.at(at));
            }
        }
        return List.of(new State("m.", engine, m, tensors), new State("v.", engine, v, tensors));
    }
}
