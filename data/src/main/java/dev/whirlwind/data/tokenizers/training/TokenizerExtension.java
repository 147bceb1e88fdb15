package dev.whirlwind.data.tokenizers.training;

import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.sources.Findings;
import dev.whirlwind.data.tokenizers.BadText;
import dev.whirlwind.data.tokenizers.ByteAlphabet;
import dev.whirlwind.data.tokenizers.ExtensibleTokenizer;
import dev.whirlwind.data.tokenizers.NewTokenizer;
import dev.whirlwind.model.UserException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * Goes on with the training of a byte-level BPE on other text: words are taken apart into the tokens that they have, and further
 * merges are learnt on top of those. As they come after all others, every text is first cut as it was, and then some of its
 * tokens become one; so each new token is reached.
 */
public final class TokenizerExtension {
    /**
     * What came of it.
     *
     * @param tokens new ones, as they are written
     * @param merges new ones
     * @param pieces for each new token the old ones that it is made of
     * @param before tokens that the text had, and {@code after} those that it has
     */
    public record Result(
            List<String> tokens,
            List<NewTokenizer.Merge> merges,
            List<int[]> pieces,
            long bytes,
            long before,
            long after,
            Findings findings) {}

    private TokenizerExtension() {}

    /**
     * Learns new tokens.
     *
     * @param add how many
     * @param minimumFrequency occurrences of a pair below which it makes no token
     * @param limit bytes of text after which no more documents are read
     * @param progress is told of bytes that have been read
     * @throws UserException when there is no text, or nothing to learn from it
     */
    public static Result learn(
            Corpus corpus, ExtensibleTokenizer old, int add, long minimumFrequency, long limit, LongConsumer progress) {
        WordCounter counter = WordCounter.count(corpus, old.words(), limit, progress);
        counter.requireText(corpus);
        WordCounts counts = counter.counts();
        List<byte[]> known = old.tokens();
        MergeLearner learner = new MergeLearner(known, counts.size(), counts.bytes() / 2);
        long others = 0;
        for (int word = 0; word < counts.size(); word++) {
            byte[] bytes = counts.word(word);
            int[] ids = encode(old, bytes);
            // Nothing is learnt where a normaliser changes a word, or a special token is in it.
            if (spells(known, ids, bytes)) {
                learner.add(ids, counts.count(word));
            } else {
                others += ids.length * counts.count(word);
            }
        }
        long before = learner.length() + others;
        List<MergeLearner.Merge> merges = learner.learn(known.size() + add, minimumFrequency);
        List<byte[]> all = learner.tokens();
        if (all.size() == known.size()) {
            throw new UserException(corpus.name() + ": no two tokens of a word come together "
                    + Math.max(1, minimumFrequency) + " times, so that there is nothing to add; give more text");
        }
        List<int[]> pieces = new ArrayList<>();
        for (MergeLearner.Merge merge : merges) {
            if (merge.token() == known.size() + pieces.size()) {
                pieces.add(IntStream.concat(
                                pieces(known.size(), pieces, merge.left()), pieces(known.size(), pieces, merge.right()))
                        .toArray());
            }
        }
        return new Result(
                all.stream().skip(known.size()).map(ByteAlphabet::written).toList(),
                merges.stream()
                        .map(merge -> new NewTokenizer.Merge(
                                ByteAlphabet.written(all.get(merge.left())),
                                ByteAlphabet.written(all.get(merge.right()))))
                        .toList(),
                pieces,
                counter.bytes(),
                before,
                learner.length() + others,
                counter.findings());
    }

    private static IntStream pieces(int known, List<int[]> pieces, int token) {
        return token < known ? IntStream.of(token) : IntStream.of(pieces.get(token - known));
    }

    private static int[] encode(ExtensibleTokenizer old, byte[] word) {
        try {
            return old.tokenizer().encode(new String(word, StandardCharsets.UTF_8));
        } catch (BadText e) {
            // A token that the model does not know is nothing to build on.
            return new int[0];
        }
    }

    private static boolean spells(List<byte[]> tokens, int[] ids, byte[] word) {
        int from = 0;
        for (int id : ids) {
            byte[] token = tokens.get(id);
            int to = token == null ? Integer.MAX_VALUE : from + token.length;
            if (to > word.length || !Arrays.equals(token, 0, token.length, word, from, to)) {
                return false;
            }
            from = to;
        }
        return from == word.length;
    }
}
