package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.GradientUser;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.Transformer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.DoublePredicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Turns gradients into updates of the weights: clipping by global norm, then a rule. */
public final class Optimizer {
    private final Engine engine;
    private final Parameters gradients;
    private final Inputs inputs;
    private final Tensor partials;
    private final UpdateRule rule;
    private final double clip;
    private final Program squares;
    private final Program squaresOfLayer;
    private final Program squaresOfRest;
    private final Program zero;

    /** Sets to zero what was computed for frozen parts of fused matrices. */
    private final List<Forget> forgotten;

    private long updates;

    private record Forget(ParameterGroup part, Program zero, int layer) {}

    /**
     * Allocates what the rule remembers.
     *
     * @param factors of the learning rate
     * @param clip largest global L2 norm of the gradient; 0 for no clipping
     */
    public Optimizer(Engine engine, Transformer transformer, UpdateRule.Kind kind, RateFactors factors, double clip) {
        this.engine = engine;
        this.clip = clip;
        gradients = transformer.gradients();
        inputs = transformer.inputs();
        long ofLayer = gradients.layersLength();
        squares = squares(0, gradients.length());
        squaresOfLayer = squares(0, ofLayer);
        squaresOfRest = squares(ofLayer, gradients.length() - ofLayer);
        zero = ops -> ops.zero(gradients.all(), gradients.length());
        ParameterGroups groups = new ParameterGroups(engine, transformer.weights(), gradients, factors);
        rule = kind.on(groups);
        forgotten = groups.parts().stream().flatMap(Optimizer::forgotten).toList();
        partials = new Tensor(engine.allocate("gradient.squares", Ops.PARTIALS), 0, 0);
    }

    /** AdamW. */
    public Optimizer(Engine engine, Transformer transformer, AdamW settings, double clip) {
        this(engine, transformer, AdamWRule.of(settings), RateFactors.NONE, clip);
    }

    private static Stream<Forget> forgotten(ParameterGroup part) {
        Program zero = ops -> ops.zero(part.gradients(), part.length());
        return IntStream.range(0, part.factors().size())
                .filter(i -> part.factors().get(i) == 0)
                .mapToObj(i -> new Forget(part, zero, part.firstLayer() + i));
    }

    /** The global L2 norm of the gradient. */
    public double gradientNorm() {
        return norm(Stage.ALL);
    }

    private double norm(Stage stage) {
        forgotten.stream()
                .filter(part -> stage.has(part.part(), part.layer()))
                .forEach(part -> engine.run(part.zero(), inputs, part.layer()));
        Program sum = stage.equals(Stage.ALL) ? squares : stage.equals(Stage.REST) ? squaresOfRest : squaresOfLayer;
        engine.run(sum, inputs, 0);
        MemorySegment sums = engine.host(partials, Ops.PARTIALS);
        double total = 0;
        for (int i = 0; i < Ops.PARTIALS; i++) {
            total += sums.getAtIndex(ValueLayout.JAVA_FLOAT, i);
        }
        return Math.sqrt(total);
    }

    /**
     * Updates the weights and leaves the gradients zero.
     *
     * @param gradientNorm what {@link #gradientNorm} gave
     */
    public void update(double learningRate, double gradientNorm) {
        updates++;
        inputs.learningRate = (float) learningRate;
        update(gradientNorm, Stage.ALL);
    }

    private void update(double norm, Stage stage) {
        inputs.gradientScale = clip == 0 ? 1 : (float) Math.min(1, clip / (norm + 1e-6));
        rule.update(inputs, updates, stage);
    }

    /**
     * An update that happens during a backward pass, layer by layer, each clipped by its own norm.
     *
     * @param wanted whether to update, by the summed negative log-likelihood
     */
    public InBackward inBackward(double learningRate, DoublePredicate wanted) {
        return new InBackward(learningRate, wanted);
    }

    /** One such update. */
    public final class InBackward implements GradientUser {
        private final double learningRate;
        private final DoublePredicate wanted;
        private boolean isWanted;
        private double squaresOfAll;

        private InBackward(double learningRate, DoublePredicate wanted) {
            this.learningRate = learningRate;
            this.wanted = wanted;
        }

        @Override
        public boolean wants(double nll) {
            isWanted = wanted.test(nll);
            if (isWanted) {
                updates++;
                inputs.learningRate = (float) learningRate;
            }
            return isWanted;
        }

        @Override
        public void layer(int layer) {
            use(new Stage(layer));
        }

        @Override
        public void rest() {
            use(Stage.REST);
        }

        /** Nothing is updated from the first gradient on that is not finite. */
        private void use(Stage stage) {
            double norm = Optimizer.this.norm(stage);
            squaresOfAll += norm * norm;
            if (Double.isFinite(squaresOfAll)) {
                update(norm, stage);
            } else {
                engine.run(zero, inputs, 0);
            }
        }

        /** Whether there was an update. */
        public boolean isWanted() {
            return isWanted;
        }

        /** The global L2 norm of the gradient, when all of it was there; 0 without an update. */
        public double norm() {
            return Math.sqrt(squaresOfAll);
        }
    }

    /** What the rule remembers. */
    public List<State> state() {
        return rule.state();
    }

    /** Updates done, which rules depend on. */
    public long updates() {
        return updates;
    }

    /** Forgets all that the rule remembers, for other parameters than they were. */
    public void restart() {
        updates = 0;
        rule.state().forEach(State::clear);
    }

    public void resumeAfter(long updates) {
        this.updates = updates;
    }

    private Program squares(long from, long length) {
        return ops -> ops.sumOfSquares(partials, gradients.all().skip(from), length);
    }
}
