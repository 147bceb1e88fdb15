package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.training.optimizers.ParameterGroups.UpdateOfGroups;
import java.util.List;

/**
 * Lion (arXiv 2302.06675): steps of one size, by the sign of a mean gradient. It remembers half of what AdamW does. The
 * paper takes a learning rate 3 to 10 times smaller than AdamW's, and as much more weight decay.
 */
public final class LionRule implements UpdateRule {
    private final Engine engine;
    private final Parameters m;
    private final Lion settings;
    private final UpdateOfGroups update;

    private LionRule(ParameterGroups groups, Lion settings, boolean eightBits) {
        this.settings = settings;
        engine = groups.engine();
        m = new Parameters(engine, groups.gradients().layout(), "lion.m", eightBits ? Format.DYNAMIC8 : Format.FP32);
        update = groups.update(_ -> true, this::update);
    }

    /** Lion, with the mean of matrices in eight bits (arXiv 2110.02861), or not. */
    public static Kind of(Lion settings, boolean eightBits) {
        return groups -> new LionRule(groups, settings, eightBits);
    }

    @Override
    public void update(Inputs inputs, long t, Stage stage) {
        update.run(inputs, stage);
    }

    private void update(Ops ops, ParameterGroup group) {
        float decay = group.decayed() ? settings.weightDecay() : 0;
        ops.lion(
                group.weights(),
                group.gradients(),
                group.in(m.buffer()),
                group.length(),
                new Lion(settings.beta1(), settings.beta2(), decay));
    }

    @Override
    public List<State> state() {
        return List.of(State.of("m.", engine, m));
    }
}
