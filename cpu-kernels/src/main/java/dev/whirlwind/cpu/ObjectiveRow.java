package dev.whirlwind.cpu;

import dev.whirlwind.model.Objective;

/** {@link Objective} of one place: its value, then its gradient in place of the logits. Exponentials are taken twice. */
final class ObjectiveRow {
    private static final int PART = 1024;

    private final Objective objective;
    private final long logits;
    private final long teacher;
    private final int target;
    private final int vocabulary;
    private final float max;
    private final float teacherMax;
    private final double logSum;
    private final double softLogSum;
    private final double teacherLogSum;
    private final double nll;
    private final double value;
    private final float[] part = new float[PART + Memory.LANES];
    private final float[] taught = new float[PART + Memory.LANES];

    /**
     * @param logits address of the row
     * @param teacher address of the teacher's logits, or 0
     */
    ObjectiveRow(Objective objective, long logits, long teacher, int target, int vocabulary) {
        this.objective = objective;
        this.logits = logits;
        this.teacher = teacher;
        this.target = target;
        this.vocabulary = vocabulary;
        max = HeadLoss.max(logits, vocabulary);
        logSum = Math.log(sumOfExponentials(logits, max, 1));
        double lse = max + logSum;
        nll = lse - Memory.get(logits + 4L * target);
        double smoothing = objective.labelSmoothing();
        double likelihood = (1 - smoothing) * nll;
        if (smoothing > 0) {
            likelihood += smoothing * (lse - mean());
        }
        double sum = (1 - (double) objective.distillation()) * likelihood + objective.zLoss() * lse * lse;
        if (teacher == 0) {
            teacherMax = 0;
            softLogSum = 0;
            teacherLogSum = 0;
        } else {
            float temperature = objective.temperature();
            teacherMax = HeadLoss.max(teacher, vocabulary);
            softLogSum = Math.log(sumOfExponentials(logits, max, temperature));
            teacherLogSum = Math.log(sumOfExponentials(teacher, teacherMax, temperature));
            sum += objective.distillation() * temperature * temperature * divergence();
        }
        value = sum;
    }

    double nll() {
        return nll;
    }

    double value() {
        return value;
    }

    /** Replaces the logits by the objective's gradient times a factor. */
    void intoGradient(float lossScale) {
        double likelihood = 1 - (double) objective.distillation();
        double factor = (likelihood + 2 * objective.zLoss() * (max + logSum)) / Math.exp(logSum);
        float each = (float) (likelihood * objective.labelSmoothing() / vocabulary);
        float temperature = objective.temperature();
        double soft = objective.distillation() * (double) temperature;
        float softFactor = (float) (soft / Math.exp(softLogSum));
        float teacherFactor = (float) (soft / Math.exp(teacherLogSum));
        float[] softened = teacher == 0 ? part : new float[PART + Memory.LANES];
        for (int from = 0; from < vocabulary; from += PART) {
            int count = Math.min(PART, vocabulary - from);
            exponentials(part, logits, from, count, max, 1);
            if (teacher != 0) {
                exponentials(softened, logits, from, count, max, temperature);
                exponentials(taught, teacher, from, count, teacherMax, temperature);
            }
            for (int i = 0; i < count; i++) {
                float d = (float) factor * part[i] - each;
                if (teacher != 0) {
                    d += softFactor * softened[i] - teacherFactor * taught[i];
                }
                part[i] = d * lossScale;
            }
            Memory.copy(part, logits + 4L * from, count);
        }
        double right = likelihood * (1 - (double) objective.labelSmoothing()) * lossScale;
        Memory.set(logits + 4L * target, (float) (Memory.get(logits + 4L * target) - right));
    }

    private double mean() {
        double sum = 0;
        for (int i = 0; i < vocabulary; i++) {
            sum += Memory.get(logits + 4L * i);
        }
        return sum / vocabulary;
    }

    /** KL(q || p) with both at the temperature. */
    private double divergence() {
        float temperature = objective.temperature();
        double sum = 0;
        for (int from = 0; from < vocabulary; from += PART) {
            int count = Math.min(PART, vocabulary - from);
            exponentials(taught, teacher, from, count, teacherMax, temperature);
            for (int i = 0; i < count; i++) {
                double logQ =
                        (Memory.get(teacher + 4L * (from + i)) - (double) teacherMax) / temperature - teacherLogSum;
                double logP = (Memory.get(logits + 4L * (from + i)) - (double) max) / temperature - softLogSum;
                sum += taught[i] * (logQ - logP);
            }
        }
        return sum / Math.exp(teacherLogSum);
    }

    private double sumOfExponentials(long row, float shift, float temperature) {
        return sumOfExponentials(row, vocabulary, shift, temperature, part);
    }

    /** Of exp((row - shift) / temperature). */
    static double sumOfExponentials(long row, int vocabulary, float shift, float temperature) {
        return sumOfExponentials(row, vocabulary, shift, temperature, new float[PART + Memory.LANES]);
    }

    private static double sumOfExponentials(long row, int vocabulary, float shift, float temperature, float[] part) {
        double sum = 0;
        for (int from = 0; from < vocabulary; from += PART) {
            int count = Math.min(PART, vocabulary - from);
            exponentials(part, row, from, count, shift, temperature);
            sum += VectorMath.sum(part, count);
        }
        return sum;
    }

    /** into = exp((row - shift) / temperature). */
    private static void exponentials(float[] into, long row, int from, int count, float shift, float temperature) {
        Memory.copy(row + 4L * from, into, 0, count);
        if (temperature != 1) {
            for (int i = 0; i < count; i++) {
                into[i] = (into[i] - shift) / temperature;
            }
            VectorMath.exponentials(into, 0, 0, count);
        } else {
            VectorMath.exponentials(into, 0, shift, count);
        }
    }
}
