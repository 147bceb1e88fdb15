package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.training.optimizers.ParameterGroups.UpdateOfGroups;
import java.util.List;

/** AdamW (arXiv 1711.05101); weight decay acts on the parameters with two or more dimensions only. */
public final class AdamWRule implements UpdateRule {
    private final Engine engine;
    private final Parameters m;
    private final Parameters v;
    private final AdamW settings;
    private final UpdateOfGroups update;

    private AdamWRule(ParameterGroups groups, AdamW settings, boolean eightBits) {
        this.settings = settings;
        engine = groups.engine();
        ParameterLayout layout = groups.gradients().layout();
        m = new Parameters(engine, layout, "adamw.m", eightBits ? Format.DYNAMIC8 : Format.FP32);
        v = new Parameters(engine, layout, "adamw.v", eightBits ? Format.DYNAMIC8_UNSIGNED : Format.FP32);
        update = groups.update(_ -> true, this::update);
    }

    public static Kind of(AdamW settings) {
        return of(settings, false);
    }

    /** The same with moments of matrices in eight bits (arXiv 2110.02861), or not. */
    public static Kind of(AdamW settings, boolean eightBits) {
        return groups -> new AdamWRule(groups, settings, eightBits);
    }

    @Override
    public void update(Inputs inputs, long t, Stage stage) {
        correctBiases(inputs, settings, t);
        update.run(inputs, stage);
    }

    static void correctBiases(Inputs inputs, AdamW settings, long t) {
        inputs.biasCorrection1 = (float) (1 - Math.pow(settings.beta1(), (double) t));
        inputs.biasCorrection2 = (float) (1 - Math.pow(settings.beta2(), (double) t));
    }

    /** As they are for this group. */
    static AdamW of(AdamW settings, ParameterGroup group) {
        return new AdamW(
                settings.beta1(), settings.beta2(), settings.eps(), group.decayed() ? settings.weightDecay() : 0);
    }

    private void update(Ops ops, ParameterGroup group) {
        ops.adamw(
                group.weights(),
                group.gradients(),
                group.in(m.buffer()),
                group.in(v.buffer()),
                group.length(),
                of(settings, group));
    }

    @Override
    public List<State> state() {
        return List.of(State.of("m.", engine, m), State.of("v.", engine, v));
    }
}
