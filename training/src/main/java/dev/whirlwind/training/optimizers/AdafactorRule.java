package dev.whirlwind.training.optimizers;

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
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Adafactor (arXiv 1804.04235) as {@code transformers} has it with scale_parameter and relative_step off, that is with our
 * learning rate: no first moment; second moments of a matrix by row and column; their decay at update t is 1 - t^-0.8; and
 * a tensor's step is scaled down to a root mean square of 1, times the learning rate. A tensor is one of the checkpoint.
 */
public final class AdafactorRule implements UpdateRule {
    private static final double DECAY_POWER = -0.8;
    private static final float CLIP_THRESHOLD = 1;

    private final Engine engine;
    private final ParameterLayout layout;
    private final float weightDecay;
    private final Tensor partials;
    private final List<Part> parts = new ArrayList<>();
    private final Buffer moments;

    /**
     * A kind of tensor.
     *
     * @param first where its moments start: for each layer those of the rows, then those of the columns; or a vector's
     */
    private record Part(ParameterGroup group, long first, Program update) {
        boolean isMatrix() {
            return group.decayed();
        }

        long moments() {
            return isMatrix() ? (long) group.rows() + group.columns() : group.columns();
        }

        /** Where a layer's moments start. */
        long place(int layer) {
            return first + (layer - group.firstLayer()) * moments();
        }
    }

    private AdafactorRule(ParameterGroups groups, float weightDecay) {
        this.weightDecay = weightDecay;
        engine = groups.engine();
        layout = groups.gradients().layout();
        partials = new Tensor(engine.allocate("adafactor.squares", Ops.PARTIALS), 0, 0);
        long length = 0;
        for (ParameterGroup group : groups.parts()) {
            int index = parts.size();
            Part part = new Part(group, length, ops -> update(ops, parts.get(index)));
            parts.add(part);
            length += group.factors().size() * part.moments();
        }
        moments = engine.allocate("adafactor.moments", length);
    }

    public static Kind of(float weightDecay) {
        return groups -> new AdafactorRule(groups, weightDecay);
    }

    @Override
    public void update(Inputs inputs, long t, Stage stage) {
        inputs.secondMomentDecay = (float) (1 - Math.pow((double) t, DECAY_POWER));
        for (Part part : parts) {
            part.group().forEachLayer(inputs, stage, layer -> engine.run(part.update(), inputs, layer));
        }
    }

    private void update(Ops ops, Part part) {
        ParameterGroup group = part.group();
        Tensor direction = group.gradients();
        Tensor memory = new Tensor(moments, part.place(0), group.stride() == 0 ? 0 : part.moments());
        if (part.isMatrix()) {
            Tensor c = memory.skip(group.rows());
            ops.factoredMoments(memory, c, direction, group.rows(), group.columns());
            ops.factoredDirection(direction, memory, c, group.rows(), group.columns());
        } else {
            ops.unfactoredDirection(direction, memory, group.length());
        }
        ops.sumOfSquares(partials, direction, group.length());
        float scale = (float) (1 / (Math.sqrt((double) group.length()) * CLIP_THRESHOLD));
        ops.divideByNorm(direction, partials, group.length(), 1, scale);
        ops.descend(group.weights(), direction, group.length(), 1, part.isMatrix() ? weightDecay : 0);
        ops.zero(direction, group.length());
    }

    @Override
    public List<State> state() {
        Map<Long, String> names = layout.checkpointTensors().stream()
                .collect(Collectors.toMap(CheckpointTensor::offset, CheckpointTensor::name));
        List<CheckpointTensor> rows = new ArrayList<>();
        List<CheckpointTensor> columns = new ArrayList<>();
        List<CheckpointTensor> vectors = new ArrayList<>();
        for (Part part : parts) {
            ParameterGroup group = part.group();
            for (int i = 0; i < group.factors().size(); i++) {
                int layer = group.firstLayer() + i;
                String name = names.get((group.place() + layer * group.stride()));
                if (name == null) {
                    continue;
                }
                long at = part.place(layer);
                List<Long> width = List.of((long) group.columns());
                if (part.isMatrix()) {
                    rows.add(new CheckpointTensor(name, List.of((long) group.rows()), at, false));
                    columns.add(new CheckpointTensor(name, width, at + group.rows(), false));
                } else {
                    vectors.add(new CheckpointTensor(name, width, at, false));
                }
            }
        }
        return Stream.of(
                        new State("r.", engine, moments, rows),
                        new State("c.", engine, moments, columns),
                        new State("v.", engine, moments, vectors))
                .filter(state -> !state.tensors().isEmpty())
                .toList();
    }
}
