package dev.whirlwind.training.log;

import dev.whirlwind.training.metrics.Event;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/** The figures of an event by the names that Hugging Face's Trainer gives them in its logs. */
final class Scalars {
    private Scalars() {}

    static SequencedMap<String, Double> of(Event event) {
        SequencedMap<String, Double> scalars = new LinkedHashMap<>();
        switch (event) {
            case Event.Step step -> {
                scalars.put("train/loss", step.loss());
                scalars.put("train/learning_rate", step.lr());
                scalars.put("train/grad_norm", step.gradNorm());
                scalars.put("train/tokens_per_second", step.tokensPerSecond());
                scalars.put("train/tokens", (double) step.tokens());
            }
            case Event.Eval eval -> {
                scalars.put("eval/" + eval.name() + "/loss", eval.loss());
                scalars.put("eval/" + eval.name() + "/perplexity", eval.perplexity());
            }
            case Event.Sources read ->
                read.sources().forEach((name, share) -> scalars.put("data/" + name + "/passes", share.passes()));
            default -> {}
        }
        return scalars;
    }
}
