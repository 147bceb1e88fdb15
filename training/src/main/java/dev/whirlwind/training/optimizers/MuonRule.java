package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.ParameterLayout.Parameter;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.training.optimizers.ParameterGroups.UpdateOfGroups;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Muon (Jordan et al., 2024, kellerjordan.github.io/posts/muon): a layer's matrix moves along the nearest orthogonal
 * matrix to its momentum, found by five steps of Newton and Schulz. A matrix is a tensor of the checkpoint, so queries,
 * keys, values, gate and up each are one, except that GPT-2's queries, keys and values are one together. Steps are scaled
 * by 0.2 sqrt(max(rows, columns)) (Moonlight, arXiv 2502.16982, section 2.2), with which their elements are as large as
 * AdamW's and one learning rate and one weight decay suit both. Embeddings, head and vectors are AdamW's.
 */
public final class MuonRule implements UpdateRule {
    private static final int STEPS = 5;
    private static final float LEAST_NORM = 1e-7f;

    private final Engine engine;
    private final float momentum;
    private final AdamW others;
    private final List<Matrix> matrices;

    /** Momentum, and AdamW's mean of the others. */
    private final Parameters m;

    /** AdamW's mean squares of the others: of what lies before the matrices, and after. */
    private final Buffer v;

    private final long first;
    private final long end;
    private final Tensor partials;
    private final Tensor scratch;
    private final UpdateOfGroups update;

    /** A kind of matrix that every layer has, and the parts of its update. */
    private final class Matrix {
        final ParameterGroup group;
        final Program begin = this::begin;
        final Program step = this::step;
        final Program finish = this::finish;

        Matrix(ParameterGroup group) {
            this.group = group;
        }

        void update(Inputs inputs, Stage stage) {
            group.forEachLayer(inputs, stage, layer -> {
                engine.run(begin, inputs, layer);
                for (int i = 0; i < STEPS; i++) {
                    engine.run(step, inputs, layer);
                }
                engine.run(finish, inputs, layer);
            });
        }

        private void begin(Ops ops) {
            ops.momentum(group.gradients(), group.in(m.buffer()), group.length(), momentum);
            ops.sumOfSquares(partials, group.gradients(), group.length());
            ops.divideByNorm(group.gradients(), partials, group.length(), LEAST_NORM, 1);
        }

        private void step(Ops ops) {
            ops.newtonSchulz(group.gradients(), scratch, group.rows(), group.columns());
        }

        private void finish(Ops ops) {
            float factor = (float) (0.2 * Math.sqrt(Math.max(group.rows(), group.columns())));
            ops.descend(group.weights(), group.gradients(), group.length(), factor, others.weightDecay());
            ops.zero(group.gradients(), group.length());
        }
    }

    private MuonRule(ParameterGroups groups, float momentum, AdamW others, boolean eightBits) {
        this.momentum = momentum;
        this.others = others;
        engine = groups.engine();
        ParameterLayout layout = groups.gradients().layout();
        List<Parameter> ofLayers = layout.parameters().stream()
                .filter(p -> p.decayed() && p.perLayer())
                .toList();
        end = layout.decayedLength();
        first = ofLayers.isEmpty() ? end : ofLayers.getFirst().offset();
        matrices = groups.parts().stream()
                .filter(MuonRule::isMatrix)
                .map(Matrix::new)
                .toList();
        m = new Parameters(engine, layout, "muon.m", eightBits ? Format.DYNAMIC8 : Format.FP32);
        long[] starts = LongStream.of(layout.starts())
                .filter(start -> start < first || start >= end)
                .map(start -> start < first ? start : start - (end - first))
                .toArray();
        v = engine.allocate("muon.v", layout.length() - (end - first), starts);
        partials = new Tensor(engine.allocate("muon.squares", Ops.PARTIALS), 0, 0);
        long largest = matrices.stream()
                .mapToLong(matrix -> Ops.newtonSchulzScratch(matrix.group.rows(), matrix.group.columns()))
                .max()
                .orElse(1);
        scratch = new Tensor(engine.allocate("muon.scratch", largest), 0, 0);
        update = groups.update(group -> !isMatrix(group), this::update);
    }

    private static boolean isMatrix(ParameterGroup group) {
        return group.decayed() && group.weights().stride() > 0;
    }

    /**
     * Muon.
     *
     * @param others for what it does not act on; its weight decay is that of all
     * @param eightBits keeps the means of matrices in eight bits (arXiv 2110.02861)
     */
    public static Kind of(float momentum, AdamW others, boolean eightBits) {
        return groups -> new MuonRule(groups, momentum, others, eightBits);
    }

    @Override
    public void update(Inputs inputs, long t, Stage stage) {
        AdamWRule.correctBiases(inputs, others, t);
        update.run(inputs, stage);
        matrices.forEach(matrix -> matrix.update(inputs, stage));
    }

    private void update(Ops ops, ParameterGroup group) {
        long inV = group.place() < first ? group.place() : group.place() - (end - first);
        ops.adamw(
                group.weights(),
                group.gradients(),
                group.in(m.buffer()),
                new Tensor(v, inV, group.stride()),
                group.length(),
                AdamWRule.of(others, group));
    }

    @Override
    public List<State> state() {
        List<CheckpointTensor> inV = m.layout().checkpointTensors().stream()
                .filter(tensor -> tensor.offset() < first || tensor.offset() >= end)
                .map(tensor -> tensor.offset() < first ? tensor : tensor.at(tensor.offset() - (end - first)))
                .toList();
        return List.of(State.of("m.", engine, m), new State("v.", engine, v, inV));
    }
}
