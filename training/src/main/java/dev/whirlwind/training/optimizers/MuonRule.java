package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.ParameterLayout.Parameter;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.util.List;

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
    private final Parameters weights;
    private final Parameters gradients;
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
    private final Program update = this::update;

    /** A kind of matrix that every layer has, and the parts of its update. */
    private final class Matrix {
        final Parameter p;
        final Program begin = this::begin;
        final Program step = this::step;
        final Program finish = this::finish;

        Matrix(Parameter p) {
            this.p = p;
        }

        void update(Inputs inputs) {
            for (int layer = 0; layer < p.layers(); layer++) {
                engine.run(begin, inputs, layer);
                for (int i = 0; i < STEPS; i++) {
                    engine.run(step, inputs, layer);
                }
                engine.run(finish, inputs, layer);
            }
        }

        private Tensor direction() {
            return p.in(gradients.buffer());
        }

        private void begin(Ops ops) {
            ops.momentum(direction(), p.in(m.buffer()), p.size(), momentum);
            ops.sumOfSquares(partials, direction(), p.size());
            ops.divideByNorm(direction(), partials, p.size(), LEAST_NORM, 1);
        }

        private void step(Ops ops) {
            ops.newtonSchulz(direction(), scratch, p.rows(), p.columns());
        }

        private void finish(Ops ops) {
            float factor = (float) (0.2 * Math.sqrt(Math.max(p.rows(), p.columns())));
            ops.descend(p.in(weights.buffer()), direction(), p.size(), factor, others.weightDecay());
            ops.zero(direction(), p.size());
        }
    }

    private MuonRule(Engine engine, Parameters weights, Parameters gradients, float momentum, AdamW others) {
        this.engine = engine;
        this.weights = weights;
        this.gradients = gradients;
        this.momentum = momentum;
        this.others = others;
        ParameterLayout layout = weights.layout();
        List<Parameter> parts =
                layout.parts().stream().filter(p -> p.decayed() && p.perLayer()).toList();
        matrices = parts.stream().map(Matrix::new).toList();
        first = parts.getFirst().offset();
        end = layout.decayedLength();
        m = new Parameters(engine, layout, "muon.m");
        v = engine.allocate("muon.v", layout.length() - (end - first));
        partials = new Tensor(engine.allocate("muon.squares", Ops.PARTIALS), 0, 0);
        long largest = parts.stream()
                .mapToLong(p -> Ops.newtonSchulzScratch(p.rows(), p.columns()))
                .max()
                .orElseThrow();
        scratch = new Tensor(engine.allocate("muon.scratch", largest), 0, 0);
    }

    /**
     * Muon.
     *
     * @param others for what it does not act on; its weight decay is that of all
     */
    public static Kind of(float momentum, AdamW others) {
        return (engine, weights, gradients) -> new MuonRule(engine, weights, gradients, momentum, others);
    }

    @Override
    public void update(Inputs inputs, long t) {
        AdamWRule.correctBiases(inputs, others, t);
        engine.run(update, inputs, 0);
        matrices.forEach(matrix -> matrix.update(inputs));
    }

    private void update(Ops ops) {
        adamw(ops, 0, 0, first, others);
        adamw(ops, end, first, weights.layout().length() - end, AdamWRule.withoutDecay(others));
    }

    private void adamw(Ops ops, long from, long inV, long length, AdamW settings) {
        ops.adamw(
                weights.all().skip(from),
                gradients.all().skip(from),
                m.all().skip(from),
                new Tensor(v, inV, 0),
                length,
                settings);
    }

    @Override
    public List<State> state() {
        List<CheckpointTensor> inV = weights.layout().checkpointTensors().stream()
                .filter(tensor -> tensor.offset() < first || tensor.offset() >= end)
                .map(tensor -> tensor.offset() < first ? tensor : tensor.at(tensor.offset() - (end - first)))
                .toList();
        return List.of(State.of("m.", engine, m), new State("v.", engine, v, inV));
    }
}
