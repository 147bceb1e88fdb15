package dev.whirlwind.data.tokenizers.training;

import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.sources.Findings;
import dev.whirlwind.data.tokenizers.ByteAlphabet;
import dev.whirlwind.data.tokenizers.NewTokenizer;
import dev.whirlwind.data.tokenizers.Words;
import dev.whirlwind.model.UserException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * Trains byte-level BPE on a corpus: special tokens, the 256 bytes, and then tokens that are merged from those, as Hugging
 * Face's {@code BpeTrainer} makes them with {@code initial_alphabet=ByteLevel.alphabet()}. One thread reads, counts and
 * merges, so nothing depends on how many there are.
 */
public final class BpeTrainer {
    /**
     * What to train.
     *
     * @param vocabulary tokens, with special ones and the 256 bytes
     * @param minimumFrequency occurrences of a pair below which it makes no token
     * @param special tokens that stand for no text; the first ends a text
     * @param limit bytes of text after which no more documents are read
     */
    public record Options(Words words, int vocabulary, long minimumFrequency, List<String> special, long limit) {
        public Options {
            special = List.copyOf(special);
        }

        /** The smallest vocabulary that there can be. */
        public int smallest() {
            return 256 + special.size();
        }
    }

    /**
     * What came of it.
     *
     * @param bytes of text that were read
     * @param tokens that this text has then
     * @param words different ones
     * @param forgotten occurrences of rare words that were not kept, so that memory is bounded
     */
    public record Result(
            NewTokenizer tokenizer, long bytes, long tokens, long words, long forgotten, Findings findings) {}

    private BpeTrainer() {}

    /**
     * Trains.
     *
     * @param progress is told of bytes of text that have been read
     * @throws UserException when there is no text
     */
    public static Result train(Corpus corpus, Options options, LongConsumer progress) {
        WordCounter counter = WordCounter.count(corpus, options.words(), options.limit(), progress);
        WordCounts counts = counter.counts();
        counter.requireText(corpus);
        int[] idOfByte = new int[256];
        // A special token may be written as a byte is, or as a token that text makes.
        List<byte[]> tokens = new ArrayList<>();
        options.special().forEach(token -> tokens.add(ByteAlphabet.bytes(token)));
        ByteAlphabet.inOrder().forEach(value -> {
            byte[] token = {(byte) value};
            int special = options.special().indexOf(ByteAlphabet.written(token));
            idOfByte[value] = special < 0 ? tokens.size() : special;
            if (special < 0) {
                tokens.add(token);
            }
        });
        MergeLearner learner = new MergeLearner(tokens, counts.size(), counts.bytes());
        for (int word = 0; word < counts.size(); word++) {
            int[] symbols = new int[counts.length(word)];
            for (int i = 0; i < symbols.length; i++) {
                symbols[i] = idOfByte[counts.at(word, i) & 0xFF];
            }
            learner.add(symbols, counts.count(word));
        }
        List<MergeLearner.Merge> merges = learner.learn(options.vocabulary(), options.minimumFrequency());
        List<String> vocabulary = new ArrayList<>(options.special());
        learner.tokens().stream()
                .skip(options.special().size())
                .map(ByteAlphabet::written)
                .forEach(vocabulary::add);
        NewTokenizer tokenizer = new NewTokenizer(
                options.words(),
                vocabulary,
                merges.stream()
                        .map(merge ->
                                new NewTokenizer.Merge(vocabulary.get(merge.left()), vocabulary.get(merge.right())))
                        .toList(),
                options.special());
        return new Result(
                tokenizer, counter.bytes(), learner.length(), counts.size(), counts.forgotten(), counter.findings());
    }
}
