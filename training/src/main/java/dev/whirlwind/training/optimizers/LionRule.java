package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import java.util.List;

/**
 * Lion (arXiv 2302.06675): steps of one size, by the sign of a mean gradient. It remembers half of what AdamW does. The
 * paper takes a learning rate 3 to 10 times smaller than AdamW's, and as much more weight decay.
 */
public final class LionRule implements UpdateRule {
    private final Engine engine;
    private final Parameters weights;
    private final Parameters gradients;
    private final Parameters m;
    private final Lion settings;
    private final Program update = this::update;

    private LionRule(Engine engine, Parameters weights, Parameters gradients, Lion settings) {
        this.engine = engine;
        this.weights = weights;
        this.gradients = gradients;
        this.settings = settings;
        m = new Parameters(engine, weights.layout(), "lion.m");
    }

    public static Kind of(Lion settings) {
        return (engine, weights, gradients) -> new LionRule(engine, weights, gradients, settings);
    }

    @Override
    public void update(Inputs inputs, long t) {
        engine.run(update, inputs, 0);
    }

    private void update(Ops ops) {
        ParameterLayout layout = weights.layout();
        long decayed = layout.decayedLength();
        ops.lion(weights.all(), gradients.all(), m.all(), decayed, settings);
        ops.lion(
                weights.all().skip(decayed),
                gradients.all().skip(decayed),
                m.all().skip(decayed),
                layout.length() - decayed,
                new Lion(settings.beta1(), settings.beta2(), 0));
    }

    @Override
    public List<State> state() {
        return List.of(State.of("m.", engine, m));
    }
}
