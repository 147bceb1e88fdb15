package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout.Parameter;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Adafactor (arXiv 1804.04235) as {@code transformers} has it with scale_parameter and relative_step off, that is with our
 * learning rate: no first moment; second moments of a matrix by row and column; their decay at update t is 1 - t^-0.8; and
 * a tensor's step is scaled down to a root mean square of 1, times the learning rate. A tensor is one of the checkpoint.
 */
public final class AdafactorRule implements UpdateRule {
    private static final double DECAY_POWER = -0.8;
    private static final float CLIP_THRESHOLD = 1;

    private final Engine engine;
    private final Parameters weights;
    private final Parameters gradients;
    private final float weightDecay;
    private final Tensor partials;
    private final List<Part> parts = new ArrayList<>();
    private final Buffer moments;

    /**
     * A kind of tensor.
     *
     * @param first where its moments start: for each layer those of the rows, then those of the columns; or a vector's
     */
    private record Part(Parameter p, long first, Program update) {
        boolean isMatrix() {
            return p.decayed();
        }

        long moments() {
            return isMatrix() ? (long) p.rows() + p.columns() : p.columns();
        }
    }

    private AdafactorRule(Engine engine, Parameters weights, Parameters gradients, float weightDecay) {
        this.engine = engine;
        this.weights = weights;
        this.gradients = gradients;
        this.weightDecay = weightDecay;
        partials = new Tensor(engine.allocate("adafactor.squares", Ops.PARTIALS), 0, 0);
        long length = 0;
        for (Parameter p : weights.layout().parts()) {
            long first = length;
            Part part = new Part(p, first, ops -> update(ops, p, first));
            parts.add(part);
            length += p.layers() * part.moments();
        }
        moments = engine.allocate("adafactor.moments", length);
    }

    public static Kind of(float weightDecay) {
        return (engine, weights, gradients) -> new AdafactorRule(engine, weights, gradients, weightDecay);
    }

    @Override
    public void update(Inputs inputs, long t) {
        inputs.secondMomentDecay = (float) (1 - Math.pow((double) t, DECAY_POWER));
        for (Part part : parts) {
            for (int layer = 0; layer < part.p().layers(); layer++) {
                engine.run(part.update(), inputs, layer);
            }
        }
    }

    private void update(Ops ops, Parameter p, long first) {
        Tensor direction = p.in(gradients.buffer());
        if (p.decayed()) {
            Tensor r = new Tensor(moments, first, p.perLayer() ? (long) p.rows() + p.columns() : 0);
            Tensor c = r.skip(p.rows());
            ops.factoredMoments(r, c, direction, p.rows(), p.columns());
            ops.factoredDirection(direction, r, c, p.rows(), p.columns());
        } else {
            ops.unfactoredDirection(direction, new Tensor(moments, first, p.perLayer() ? p.columns() : 0), p.size());
        }
        ops.sumOfSquares(partials, direction, p.size());
        float scale = (float) (1 / (Math.sqrt((double) p.size()) * CLIP_THRESHOLD));
        ops.divideByNorm(direction, partials, p.size(), 1, scale);
        ops.descend(p.in(weights.buffer()), direction, p.size(), 1, p.decayed() ? weightDecay : 0);
        ops.zero(direction, p.size());
    }

    @Override
    public List<State> state() {
        Map<Long, String> names = weights.layout().checkpointTensors().stream()
                .collect(Collectors.toMap(CheckpointTensor::offset, CheckpointTensor::name));
        List<CheckpointTensor> rows = new ArrayList<>();
        List<CheckpointTensor> columns = new ArrayList<>();
        List<CheckpointTensor> vectors = new ArrayList<>();
        for (Part part : parts) {
            Parameter p = part.p();
            for (int layer = 0; layer < p.layers(); layer++) {
                String name = names.get(p.offset() + layer * p.stride());
                long at = part.first() + layer * part.moments();
                if (part.isMatrix()) {
                    rows.add(new CheckpointTensor(name, List.of((long) p.rows()), at, false));
                    columns.add(new CheckpointTensor(name, List.of((long) p.columns()), at + p.rows(), false));
                } else {
                    vectors.add(new CheckpointTensor(name, List.of((long) p.columns()), at, false));
                }
            }
        }
        return List.of(
                new State("r.", engine, moments, rows),
                new State("c.", engine, moments, columns),
                new State("v.", engine, moments, vectors));
    }
}
