package dev.whirlwind.training.evaluation;

import dev.whirlwind.data.tokenizers.TextStream;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Sampler;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.metrics.Event;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;

/** What a model makes of fixed prompts while it is trained. Only its weights are read; its own memory is taken once. */
public final class Samples {
    private static final double TOP_P = 0.95;

    /** Tokens of a prompt that are read at once. */
    private static final int CHUNK = 64;

    private final List<Prompt> prompts;
    private final int length;
    private final double temperature;
    private final long seed;
    private final Tokenizer tokenizer;
    private final Generator generator;

    /**
     * Allocates what is needed beside the weights.
     *
     * @param length most tokens that are added to a prompt
     * @param temperature what logits are divided by; 0 always takes the likeliest token
     * @param seed the same for every sample, so that the weights alone make the difference
     * @throws UserException if a prompt is longer than the model's texts
     */
    public Samples(
            Engine engine,
            Parameters weights,
            Tokenizer tokenizer,
            List<Prompt> prompts,
            int length,
            double temperature,
            long seed) {
        this.prompts = List.copyOf(prompts);
        this.tokenizer = tokenizer;
        this.length = length;
        this.temperature = temperature;
        this.seed = seed;
        int capacity = capacity(weights.config(), prompts, length);
        generator = new Generator(engine, weights, capacity, chunk(capacity));
    }

    /** Most tokens of a prompt and its continuation together. */
    public static int capacity(ModelConfig model, List<Prompt> prompts, int length) {
        int longest = 0;
        for (Prompt prompt : prompts) {
            int tokens = prompt.tokens().size();
            if (tokens >= model.longestText()) {
                throw new UserException("the sample prompt " + prompt.name() + " has " + tokens
                        + " tokens, which leaves no room in the model's " + model.longestText()
                        + " positions; shorten it");
            }
            longest = Math.max(longest, tokens);
        }
        return (int) Math.min(model.longestText(), (long) longest + length);
    }

    /** Tokens of a prompt that are read at once. */
    public static int chunk(int capacity) {
        return Math.min(CHUNK, capacity);
    }

    /**
     * Continues all prompts.
     *
     * @throws CancellationException when {@code stop} said so before one of them
     * @throws UserException when the model gives no finite scores
     */
    public List<Event.Sample> of(long step, BooleanSupplier stop) {
        List<Event.Sample> samples = new ArrayList<>();
        Set<Integer> stops = tokenizer.endOfText().stops();
        for (Prompt prompt : prompts) {
            if (stop.getAsBoolean()) {
                throw new CancellationException();
            }
            StringBuilder text = new StringBuilder();
            TextStream stream = new TextStream(tokenizer, prompt.ids(), text::append);
            generator.generate(prompt.ids(), length, new Sampler(temperature, 0, TOP_P, seed), stops, token -> {
                if (!stops.contains(token)) {
                    stream.add(token);
                }
            });
            stream.end();
            samples.add(new Event.Sample(step, prompt.name(), prompt.text(), text.toString()));
        }
        return samples;
    }
}
