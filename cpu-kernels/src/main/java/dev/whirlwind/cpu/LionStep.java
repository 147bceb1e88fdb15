package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Lion;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Lion (Chen et al., arXiv 2302.06675), with g = gradient * scale, in one pass over memory:
 *
 * <p>p = p (1 - lr decay) - lr sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g; gradient = 0.
 */
final class LionStep {
    private final Workers workers;
    private final Workers.Task update = this::update;

    // The call in progress; addresses.
    private long parameter;
    private long gradient;
    private long m;
    private long length;
    private float beta1;
    private float beta2;
    private float kept;
    private float rate;
    private float gradientScale;

    LionStep(Workers workers) {
        this.workers = workers;
    }

    void run(long parameter, long gradient, long m, long length, Lion settings, Inputs inputs) {
        this.parameter = parameter;
        this.gradient = gradient;
        this.m = m;
        this.length = length;
        beta1 = settings.beta1();
        beta2 = settings.beta2();
        kept = 1 - inputs.learningRate * settings.weightDecay();
        rate = inputs.learningRate;
        gradientScale = inputs.gradientScale;
        workers.run(Chunks.tasks(length), update);
    }

    private void update(int task, int worker) {
        long from = 4 * Chunks.start(task, length);
        int count = Chunks.count(task, length);
        int full = SPECIES.loopBound(count);
        updateVectors(parameter + from, gradient + from, m + from, full);
        if (full < count) {
            from += 4L * full;
            updateRest(parameter + from, gradient + from, m + from, count - full);
        }
    }

    private void updateVectors(long parameter, long gradient, long m, int length) {
        float b1 = beta1;
        float b2 = beta2;
        float k = kept;
        float r = rate;
        float scale = gradientScale;
        for (int i = 0; i < 4 * length; i += 4 * LANES) {
            FloatVector g = fromMemorySegment(SPECIES, ALL, gradient + i, ORDER).mul(scale);
            FloatVector oldM = fromMemorySegment(SPECIES, ALL, m + i, ORDER);
            FloatVector c = oldM.mul(b1).add(g.mul(1 - b1));
            FloatVector zero = FloatVector.zero(SPECIES);
            FloatVector step =
                    zero.blend(r, c.compare(VectorOperators.GT, zero)).blend(-r, c.compare(VectorOperators.LT, zero));
            fromMemorySegment(SPECIES, ALL, parameter + i, ORDER)
                    .mul(k)
                    .sub(step)
                    .intoMemorySegment(ALL, parameter + i, ORDER);
            oldM.mul(b2).add(g.mul(1 - b2)).intoMemorySegment(ALL, m + i, ORDER);
            zero.intoMemorySegment(ALL, gradient + i, ORDER);
        }
    }

    private void updateRest(long parameter, long gradient, long m, int length) {
        for (int i = 0; i < 4 * length; i += 4) {
            float g = Memory.get(gradient + i) * gradientScale;
            float oldM = Memory.get(m + i);
            float c = oldM * beta1 + g * (1 - beta1);
            float step = c > 0 ? rate : c < 0 ? -rate : 0;
            Memory.set(parameter + i, Memory.get(parameter + i) * kept - step);
            Memory.set(m + i, oldM * beta2 + g * (1 - beta2));
            Memory.set(gradient + i, 0);
        }
    }
}
