package dev.whirlwind.cpu;

import dev.whirlwind.model.Inputs;

/** {@link dev.whirlwind.model.Objective.Kept}: logits of a teacher of which only the likeliest tokens were kept. */
final class KeptTeacher {
    /** What a probability is at least, so that it has a logarithm. */
    private static final float LEAST = 1e-37f;

    private KeptTeacher() {}

    /**
     * Writes T log q of the tokens that were kept; of all others what makes T log q of them, in proportion to the model's own
     * probabilities: z + T (log q_rest - log sum of exp(z / T)), the sum over them.
     *
     * @param row of the inputs
     * @param logits address of the model's, z
     * @param teacher address of the result
     */
    static void complete(
            Inputs inputs, int top, int row, float temperature, long logits, long teacher, int vocabulary) {
        Memory.copy(logits, teacher, vocabulary);
        for (int j = row * top; j < (row + 1) * top; j++) {
            Memory.set(teacher + 4L * inputs.taughtTokens[j], Float.NEGATIVE_INFINITY);
        }
        float max = HeadLoss.max(teacher, vocabulary);
        double sum = ObjectiveRow.sumOfExponentials(teacher, vocabulary, max, temperature);
        int first = row * (top + 1);
        double log = Math.log(Math.max(LEAST, inputs.taughtProbabilities[first + top])) - Math.log(sum);
        float shift = (float) (temperature * log) - max;
        for (int i = 0; i < vocabulary; i++) {
            Memory.set(teacher + 4L * i, Memory.get(teacher + 4L * i) + shift);
        }
        for (int j = 0; j < top; j++) {
            float probability = Math.max(LEAST, inputs.taughtProbabilities[first + j]);
            Memory.set(
                    teacher + 4L * inputs.taughtTokens[row * top + j], (float) (temperature * Math.log(probability)));
        }
    }
}
