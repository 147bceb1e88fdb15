package dev.whirlwind.model;

import java.util.Arrays;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.function.IntPredicate;

/** Continues a text token by token, with a key/value cache; one text at a time. */
public final class Generator {
    private final KeyValueCache cache;
    private final Transformer prefill;
    private final Transformer decode;
    private final int vocabulary;

    /**
     * @param capacity most tokens of prompt and continuation together, at most the model's positions
     * @param chunk how many tokens of a prompt are read at once
     */
    public Generator(Engine engine, Parameters weights, int capacity, int chunk) {
        cache = new KeyValueCache(engine, weights.config(), capacity);
        prefill = Transformer.forGeneration(engine, weights, chunk, cache);
        decode = Transformer.forGeneration(engine, weights, 1, cache);
        decode.needLogits();
        vocabulary = weights.config().vocabularySize();
    }

    /**
     * The tokens that follow a prompt.
     *
     * @param prompt at least one token
     * @param length how many tokens to add; fewer come when one of {@code stops} is drawn or the capacity is reached
     * @param stops tokens that end a text
     * @param listener told of each token as it comes
     */
    public int[] generate(int[] prompt, int length, Sampler sampler, Set<Integer> stops, IntConsumer listener) {
        return generate(prompt, length, sampler, token -> {
            listener.accept(token);
            return stops.contains(token);
        });
    }

    /**
     * The same.
     *
     * @param last asked of each token as it comes, whether it ends the text
     */
    public int[] generate(int[] prompt, int length, Sampler sampler, IntPredicate last) {
        if (prompt.length == 0) {
            throw new UserException("the prompt is empty; give at least one token to continue from");
        }
        if (prompt.length > cache.capacity()) {
            throw new UserException("the prompt has " + prompt.length + " tokens, but there is room for "
                    + cache.capacity() + "; shorten it");
        }
        prefill.textLength(prompt.length);
        decode.textLength(prompt.length);
        // All but the last token only fill the cache: whole chunks first, the rest one by one.
        int position = 0;
        while (position < prompt.length - 1) {
            boolean whole = position + prefill.sequence() < prompt.length;
            Transformer pass = whole ? prefill : decode;
            feed(pass, prompt, position);
            pass.fillCache();
            position += pass.sequence();
        }
        // Many more may be asked for than there is room for.
        int[] out = new int[Math.min(length, cache.capacity() - position)];
        int next = prompt[prompt.length - 1];
        for (int i = 0; i < out.length; i++) {
            decode.inputs().tokens[0] = next;
            decode.inputs().position = position++;
            next = sampler.sample(decode.logits(), vocabulary);
            out[i] = next;
            if (last.test(next)) {
                return Arrays.copyOf(out, i + 1);
            }
        }
        return out;
    }

    private static void feed(Transformer pass, int[] tokens, int position) {
        System.arraycopy(tokens, position, pass.inputs().tokens, 0, pass.sequence());
        pass.inputs().position = position;
    }
}
