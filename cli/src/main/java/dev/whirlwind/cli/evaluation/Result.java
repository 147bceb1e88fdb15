package dev.whirlwind.cli.evaluation;

import dev.whirlwind.training.evaluation.Evaluation;

/** How well a model predicts a text: a row of the table and of the JSON. */
public record Result(
        String model, String data, long tokens, long predicted, double meanNll, double perplexity, double bitsPerByte) {
    public static Result of(String model, String data, Evaluation e, double bytes) {
        return of(model, data, e, e.meanNll(), bytes);
    }

    /** @param meanNll in place of the evaluation's own */
    static Result of(String model, String data, Evaluation e, double meanNll, double bytes) {
        return new Result(model, data, e.tokens(), e.predicted(), meanNll, Math.exp(meanNll), e.bitsPerByte(bytes));
    }
}
