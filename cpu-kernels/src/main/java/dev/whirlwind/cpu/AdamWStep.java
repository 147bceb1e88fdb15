package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Inputs;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * AdamW (Loshchilov and Hutter, arXiv 1711.05101), with g = gradient * scale, in one pass over memory:
 *
 * <p>m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p = p (1 - lr decay) - lr / c1 * m / (sqrt(v / c2) +
 * eps); gradient = 0.
 */
final class AdamWStep {
    private final Workers workers;
    private final Workers.Task update = this::update;

    // The call in progress; addresses.
    private long parameter;
    private long gradient;
    private long m;
    private long v;
    private long length;
    private float beta1;
    private float beta2;
    private float eps;
    private float kept;
    private float rate;
    private float rootScale;
    private float gradientScale;

    AdamWStep(Workers workers) {
        this.workers = workers;
    }

    void run(long parameter, long gradient, long m, long v, long length, AdamW settings, Inputs inputs) {
        this.parameter = parameter;
        this.gradient = gradient;
        this.m = m;
        this.v = v;
        this.length = length;
        beta1 = settings.beta1();
        beta2 = settings.beta2();
        eps = settings.eps();
        kept = 1 - inputs.learningRate * settings.weightDecay();
        rate = inputs.learningRate / inputs.biasCorrection1;
        rootScale = (float) (1 / Math.sqrt(inputs.biasCorrection2));
        gradientScale = inputs.gradientScale;
        workers.run(Chunks.tasks(length), update);
    }

    private void update(int task, int worker) {
        long from = 4 * Chunks.start(task, length);
        int count = Chunks.count(task, length);
        int full = SPECIES.loopBound(count);
        updateVectors(parameter + from, gradient + from, m + from, v + from, full);
        if (full < count) {
            from += 4L * full;
            updateRest(parameter + from, gradient + from, m + from, v + from, count - full);
        }
    }

    private void updateVectors(long parameter, long gradient, long m, long v, int length) {
        float b1 = beta1;
        float b2 = beta2;
        float e = eps;
        float k = kept;
        float r = rate;
        float s = rootScale;
        float scale = gradientScale;
        for (int i = 0; i < 4 * length; i += 4 * LANES) {
            FloatVector g = fromMemorySegment(SPECIES, ALL, gradient + i, ORDER).mul(scale);
            FloatVector newM =
                    fromMemorySegment(SPECIES, ALL, m + i, ORDER).mul(b1).add(g.mul(1 - b1));
            FloatVector newV = fromMemorySegment(SPECIES, ALL, v + i, ORDER)
                    .mul(b2)
                    .add(g.mul(g).mul(1 - b2));
            FloatVector step =
                    newM.mul(r).div(newV.lanewise(VectorOperators.SQRT).mul(s).add(e));
            fromMemorySegment(SPECIES, ALL, parameter + i, ORDER)
                    .mul(k)
                    .sub(step)
                    .intoMemorySegment(ALL, parameter + i, ORDER);
            newM.intoMemorySegment(ALL, m + i, ORDER);
            newV.intoMemorySegment(ALL, v + i, ORDER);
            FloatVector.zero(SPECIES).intoMemorySegment(ALL, gradient + i, ORDER);
        }
    }

    private void updateRest(long parameter, long gradient, long m, long v, int length) {
        for (int i = 0; i < 4 * length; i += 4) {
            float g = Memory.get(gradient + i) * gradientScale;
            float newM = Memory.get(m + i) * beta1 + g * (1 - beta1);
            float newV = Memory.get(v + i) * beta2 + g * g * (1 - beta2);
            float step = newM * rate / ((float) Math.sqrt(newV) * rootScale + eps);
            Memory.set(parameter + i, Memory.get(parameter + i) * kept - step);
            Memory.set(m + i, newM);
            Memory.set(v + i, newV);
            Memory.set(gradient + i, 0);
        }
    }
}
