package dev.whirlwind.data.tokenizers.training;

import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.sources.Findings;
import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.data.tokenizers.Words;
import dev.whirlwind.model.UserException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.LongConsumer;

/** Counts the words of a corpus's documents; whatever their length, only words that have not ended yet are kept. */
final class WordCounter implements Corpus.Sink {
    /** Bytes of a word at most; a longer one, which is no word of any language, is taken apart. */
    private static final int LONGEST = 1 << 20;

    /** Ends the reading of a corpus of which no more is wanted. */
    private static final class Enough extends RuntimeException {
        private static final long serialVersionUID = 1;

        Enough() {
            super("enough", null, false, false);
        }
    }

    private final WordScanner scanner;
    private final WordCounts counts = new WordCounts();
    private final Findings findings = new Findings();
    private final long limit;
    private final LongConsumer progress;
    private byte[] text = new byte[1 << 16];
    private int length;
    private long bytes;

    private WordCounter(Words words, long limit, LongConsumer progress) {
        scanner = new WordScanner(words);
        this.limit = limit;
        this.progress = progress;
    }

    /**
     * Reads a corpus.
     *
     * @param limit bytes of text after which no more documents are read
     * @param progress is told of bytes that have been read
     */
    static WordCounter count(Corpus corpus, Words words, long limit, LongConsumer progress) {
        WordCounter counter = new WordCounter(words, limit, progress);
        try {
            corpus.read(counter);
        } catch (Enough e) {
            // As was asked for.
        }
        return counter;
    }

    @Override
    public void text(String document, String piece, boolean last) {
        byte[] more = Text.wellFormed(piece).getBytes(StandardCharsets.UTF_8);
        if (length + more.length > text.length) {
            text = Arrays.copyOf(text, Math.max(length + more.length, 2 * text.length));
        }
        System.arraycopy(more, 0, text, length, more.length);
        length += more.length;
        bytes += more.length;
        count(last);
        progress.accept(bytes);
        if (last) {
            findings.document();
            if (bytes >= limit) {
                throw new Enough();
            }
        }
    }

    private void count(boolean last) {
        int from = 0;
        while (from < length) {
            int end = scanner.end(text, from, length, last);
            if (end == WordScanner.UNDECIDED) {
                if (length - from < LONGEST) {
                    break;
                }
                end = length;
            }
            counts.add(text, from, end);
            from = end;
        }
        System.arraycopy(text, from, text, 0, length - from);
        length -= from;
    }

    @Override
    public void passedOver(Corpus.PassedOver what) {
        findings.passedOver(what);
    }

    @Override
    public void found(Kind kind, String name) {
        findings.found(kind, name);
    }

    void requireText(Corpus corpus) {
        if (counts.size() == 0) {
            String passedOver = findings.passedOver();
            throw new UserException(corpus.name() + ": holds no text"
                    + (passedOver.isEmpty() ? "" : " (passed over " + passedOver + ")") + "; add UTF-8 text files");
        }
    }

    WordCounts counts() {
        return counts;
    }

    Findings findings() {
        return findings;
    }

    /** Of text that was read. */
    long bytes() {
        return bytes;
    }
}
