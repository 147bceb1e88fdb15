package dev.whirlwind.data;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * What the tokens of a prepared folder are like.
 *
 * @param bytesPerToken of text, over all tokens
 * @param used ids that occur
 * @param unused the share of the vocabulary that never does
 * @param lengths documents by their length in tokens: the first number counts those of 1 token, the next those of 2 and 3,
 *     then 4 to 7, and so on
 * @param longest the longest document, in tokens
 */
public record TokenStatistics(double bytesPerToken, int used, double unused, List<Long> lengths, long longest) {
    private static final int CHUNK = 1 << 16;

    /** Reads all tokens. */
    static TokenStatistics of(List<TokenDataset> splits, int vocabulary, int endOfDocument) {
        BitSet used = new BitSet();
        List<Long> lengths = new ArrayList<>();
        long tokens = 0;
        long bytes = 0;
        long longest = 0;
        int[] chunk = new int[CHUNK];
        for (TokenDataset split : splits) {
            tokens += split.tokens();
            bytes += split.sourceBytes();
            long length = 0;
            for (long at = 0; at < split.tokens(); at += CHUNK) {
                int n = (int) Math.min(CHUNK, split.tokens() - at);
                split.read(at, chunk, 0, n);
                for (int i = 0; i < n; i++) {
                    used.set(chunk[i]);
                    length++;
                    if (chunk[i] == endOfDocument || at + i + 1 == split.tokens()) {
                        int bin = 63 - Long.numberOfLeadingZeros(length);
                        while (lengths.size() <= bin) {
                            lengths.add(0L);
                        }
                        lengths.set(bin, lengths.get(bin) + 1);
                        longest = Math.max(longest, length);
                        length = 0;
                    }
                }
            }
        }
        return new TokenStatistics(
                (double) bytes / Math.max(1, tokens),
                used.cardinality(),
                1 - (double) used.cardinality() / Math.max(1, vocabulary),
                lengths,
                longest);
    }
}
