package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import java.util.List;

/** AdamW (arXiv 1711.05101); weight decay acts on the parameters with two or more dimensions only. */
public final class AdamWRule implements UpdateRule {
    private final Engine engine;
    private final Parameters weights;
    private final Parameters gradients;
    private final Parameters m;
    private final Parameters v;
    private final AdamW settings;
    private final Program update = this::update;

    private AdamWRule(Engine engine, Parameters weights, Parameters gradients, AdamW settings) {
        this.engine = engine;
        this.weights = weights;
        this.gradients = gradients;
        this.settings = settings;
        m = new Parameters(engine, weights.layout(), "adamw.m");
        v = new Parameters(engine, weights.layout(), "adamw.v");
    }

    public static Kind of(AdamW settings) {
        return (engine, weights, gradients) -> new AdamWRule(engine, weights, gradients, settings);
    }

    @Override
    public void update(Inputs inputs, long t) {
        correctBiases(inputs, settings, t);
        engine.run(update, inputs, 0);
    }

    static void correctBiases(Inputs inputs, AdamW settings, long t) {
        inputs.biasCorrection1 = (float) (1 - Math.pow(settings.beta1(), (double) t));
        inputs.biasCorrection2 = (float) (1 - Math.pow(settings.beta2(), (double) t));
    }

    static AdamW withoutDecay(AdamW settings) {
        return new AdamW(settings.beta1(), settings.beta2(), settings.eps(), 0);
    }

    private void update(Ops ops) {
        ParameterLayout layout = weights.layout();
        long decayed = layout.decayedLength();
        ops.adamw(weights.all(), gradients.all(), m.all(), v.all(), decayed, settings);
        ops.adamw(
                weights.all().skip(decayed),
                gradients.all().skip(decayed),
                m.all().skip(decayed),
                v.all().skip(decayed),
                layout.length() - decayed,
                withoutDecay(settings));
    }

    @Override
    public List<State> state() {
        return List.of(State.of("m.", engine, m), State.of("v.", engine, v));
    }
}
