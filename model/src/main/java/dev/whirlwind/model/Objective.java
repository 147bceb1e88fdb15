package dev.whirlwind.model;

/**
 * What a place with a target is trained for, where p = softmax(logits), lse = log(sum(exp(logits))), and with temperature T
 * p_T = softmax(logits / T), q_T the teacher's: (1 - d) ((1 - e) nll + e mean(-log p)) + d T^2 KL(q_T || p_T) + z lse^2.
 *
 * @param labelSmoothing e, the part of the target that all tokens share (arXiv 1512.00567)
 * @param zLoss z, which keeps logits near 0 (arXiv 2204.02311)
 * @param distillation d, the weight of a teacher's probabilities in place of the text (arXiv 1503.02531)
 * @param temperature T, above 0
 */
public record Objective(float labelSmoothing, float zLoss, float distillation, float temperature) {
    /** The likelihood of the targets alone. */
    public static final Objective PLAIN = new Objective(0, 0, 0, 1);

    /** Whose probabilities a model is to learn. */
    public sealed interface Teacher {}

    /**
     * A model beside it.
     *
     * @param x what the teacher's head sees, [rows, width]
     * @param weight the teacher's head, [vocabulary, width]
     */
    public record Live(Tensor x, Tensor weight, int width) implements Teacher {}

    /**
     * What was kept of one: {@link Inputs#taughtTokens}, the likeliest at each place, and their probabilities at the
     * temperature. All other tokens are one bin, so the divergence is one of {@code top + 1} probabilities. It is that from a
     * whole distribution, too, which the engines make: the one that gives the bin's probability to its tokens in proportion to
     * what the model itself gives them.
     *
     * @param top how many tokens
     */
    public record Kept(int top) implements Teacher {}

    public boolean isPlain() {
        return labelSmoothing == 0 && zLoss == 0 && distillation == 0;
    }
}
