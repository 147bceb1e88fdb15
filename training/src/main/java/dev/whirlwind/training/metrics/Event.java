package dev.whirlwind.training.metrics;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.whirlwind.data.TrainingSequences;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Something that happened in a run: a line of {@code metrics.jsonl}, and what a {@link Listener} is told. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "event")
@JsonSubTypes({
    @JsonSubTypes.Type(value = Event.Step.class, name = "step"),
    @JsonSubTypes.Type(value = Event.Anomaly.class, name = "anomaly"),
    @JsonSubTypes.Type(value = Event.Eval.class, name = "eval"),
    @JsonSubTypes.Type(value = Event.Saved.class, name = "checkpoint"),
    @JsonSubTypes.Type(value = Event.Compared.class, name = "comparison"),
    @JsonSubTypes.Type(value = Event.Sources.class, name = "sources"),
    @JsonSubTypes.Type(value = Event.Sample.class, name = "sample"),
    @JsonSubTypes.Type(value = Event.Session.class, name = "session"),
    @JsonSubTypes.Type(value = Event.Change.class, name = "change")
})
public sealed interface Event {
    /** Optimizer steps done when it happened. */
    long step();

    /**
     * An optimizer step.
     *
     * @param step steps done, this one included
     * @param tokens tokens read by the run so far
     * @param loss mean negative log-likelihood of the step's predicted tokens, in nats, before the update
     * @param lr learning rate of the update
     * @param gradNorm global L2 norm of the gradient before clipping
     * @param tokensPerSecond of this step
     * @param elapsedSeconds time spent training, evaluating and saving, earlier sessions of the run included
     */
    record Step(
            long step,
            long tokens,
            double loss,
            double lr,
            double gradNorm,
            double tokensPerSecond,
            double elapsedSeconds)
            implements Event {
        public Step {
            if (step < 1) {
                throw new IllegalArgumentException("step " + step);
            }
        }
    }

    /** A step's loss or gradient was suspect: why, in words, and what was done about it (warn, skip or stop). */
    record Anomaly(long step, double loss, double gradNorm, String reason, String action) implements Event {
        public Anomaly {
            requireNonNull(reason);
            requireNonNull(action);
        }
    }

    /** From this step on the run has other options than it began with; each in words. */
    record Change(long step, List<String> changes) implements Event {
        public Change {
            changes = List.copyOf(changes);
        }
    }

    /**
     * An evaluation of a held-out set.
     *
     * @param loss mean negative log-likelihood, nats per token
     * @param bitsPerByte of its text; null in lines of older versions
     */
    record Eval(
            long step,
            String name,
            double loss,
            double perplexity,
            @JsonInclude(JsonInclude.Include.NON_NULL) Double bitsPerByte)
            implements Event {
        public Eval {
            requireNonNull(name);
        }

        public Eval(long step, String name, double loss, double perplexity) {
            this(step, name, loss, perplexity, null);
        }
    }

    /**
     * What the run has changed for a held-out set since before its first step, by a paired bootstrap.
     *
     * @param difference of the mean negative log-likelihood, nats per token; below 0 where it is predicted better now
     * @param low lower end of the 95 % interval; NaN where there are too few parts to tell
     * @param parts documents, or blocks of windows, that were drawn from
     * @param unit which of them
     */
    record Compared(
            long step, String name, double difference, double low, double high, double pValue, int parts, String unit)
            implements Event {
        public Compared {
            requireNonNull(name);
            requireNonNull(unit);
        }
    }

    /** A checkpoint is whole on disk; path is relative to the run. */
    record Saved(long step, String path, long bytes, double seconds) implements Event {
        public Saved {
            requireNonNull(path);
        }
    }

    /** What the sequences that were trained on so far came from, by the sources' names. */
    record Sources(long step, Map<String, TrainingSequences.Share> sources) implements Event {
        public Sources {
            sources.values().forEach(Objects::requireNonNull);
        }
    }

    /**
     * What the model made of a fixed prompt.
     *
     * @param name of the prompt
     * @param text without the prompt, which it continues
     */
    record Sample(long step, String name, String prompt, String text) implements Event {
        public Sample {
            requireNonNull(name);
            requireNonNull(prompt);
            requireNonNull(text);
        }
    }

    /**
     * A process began to work on the run.
     *
     * @param step steps that were done before
     * @param totalSteps of the whole run
     * @param time in UTC, such as 2026-01-31T12:00:00Z
     * @param environment what it works with, such as the engine and the machine, in words
     */
    record Session(long step, long totalSteps, String time, Map<String, String> environment) implements Event {
        public Session {
            requireNonNull(time);
            requireNonNull(environment);
        }
    }
}
