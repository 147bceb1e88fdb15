package dev.whirlwind.training.evaluation;

import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.sources.Hash;
import dev.whirlwind.model.UserException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.LongConsumer;

/**
 * How much of a text to evaluate on occurs in the text that was trained on: documents that are the same but for case,
 * punctuation and white space, and documents that share a run of 13 words with it, as GPT-3's authors looked for them
 * (arXiv 2005.14165, appendix C). Words are runs of letters and figures; ideographs and kana are words by themselves.
 *
 * @param documents of the evaluation that hold a word
 * @param duplicates of them that are documents of the training text, too
 * @param overlapping of them that share 13 words in a row with it, or are duplicates
 * @param share overlapping / documents
 * @param ngrams runs of 13 words of the evaluation, each counted once
 * @param seen of them in the training text
 */
public record Contamination(long documents, long duplicates, long overlapping, double share, long ngrams, long seen) {
    /** Words of a run. */
    public static final int LENGTH = 13;

    private static final long PRIME = 0x100000001B3L;

    /** A document by hashes: of all its words, and of its runs. */
    private record Document(long hash, List<Long> runs) {}

    /** Reads both, the training text as a stream. */
    public static Contamination of(Corpus evaluation, Corpus training) {
        List<Document> documents = new ArrayList<>();
        List<Long> runs = new ArrayList<>();
        evaluation.read(new Reader(runs::add) {
            @Override
            void document(long hash) {
                documents.add(new Document(hash, List.copyOf(runs)));
                runs.clear();
            }
        });
        if (documents.isEmpty()) {
            throw new UserException(evaluation.name() + ": holds no words to look for in " + training.name());
        }
        long[] known = documents.stream()
                .flatMap(document -> document.runs().stream())
                .mapToLong(Long::longValue)
                .sorted()
                .distinct()
                .toArray();
        BitSet seen = new BitSet(known.length);
        Set<Long> same = new HashSet<>();
        Set<Long> hashes = new HashSet<>();
        documents.forEach(document -> hashes.add(document.hash()));
        long[] trained = {0};
        training.read(
                new Reader(run -> {
                    int place = Arrays.binarySearch(known, run);
                    if (place >= 0) {
                        seen.set(place);
                    }
                }) {
                    @Override
                    void document(long hash) {
                        trained[0]++;
                        if (hashes.contains(hash)) {
                            same.add(hash);
                        }
                    }
                });
        if (trained[0] == 0) {
            throw new UserException(training.name() + ": holds no text; give the texts that were trained on");
        }
        long duplicates =
                documents.stream().filter(d -> same.contains(d.hash())).count();
        long overlapping = documents.stream()
                .filter(d -> same.contains(d.hash())
                        || d.runs().stream().anyMatch(run -> seen.get(Arrays.binarySearch(known, run))))
                .count();
        return new Contamination(
                documents.size(),
                duplicates,
                overlapping,
                (double) overlapping / documents.size(),
                known.length,
                seen.cardinality());
    }

    /** Makes hashes of documents that come in pieces. */
    private abstract static class Reader implements Corpus.Sink {
        /** PRIME to the power of LENGTH: what the word that leaves a run was multiplied by. */
        private static final long LEAVING = power();

        private final LongConsumer runs;
        private final StringBuilder word = new StringBuilder();
        private final long[] latest = new long[LENGTH];
        private long run;
        private long whole = Hash.EMPTY;
        private long words;
        private int high;

        Reader(LongConsumer runs) {
            this.runs = runs;
        }

        abstract void document(long hash);

        @Override
        public void text(String document, String piece, boolean last) {
            for (int i = 0; i < piece.length(); i++) {
                character(piece.charAt(i));
            }
            if (last) {
                endWord();
                if (words > 0) {
                    document(whole);
                }
                Arrays.fill(latest, 0);
                run = 0;
                words = 0;
                whole = Hash.EMPTY;
            }
        }

        /** Pieces may end amid a pair of surrogates. */
        private void character(char c) {
            if (Character.isHighSurrogate(c)) {
                high = c;
                return;
            }
            int point = Character.isLowSurrogate(c) && high != 0 ? Character.toCodePoint((char) high, c) : c;
            high = 0;
            boolean alone =
                    Character.isIdeographic(point) || (point >= 0x3040 && point < 0x3100 && Character.isLetter(point));
            if (alone || !(Character.isLetterOrDigit(point) || isMark(point))) {
                endWord();
            }
            if (alone || Character.isLetterOrDigit(point) || isMark(point)) {
                word.appendCodePoint(point);
            }
            if (alone) {
                endWord();
            }
        }

        private static boolean isMark(int point) {
            int type = Character.getType(point);
            return type == Character.NON_SPACING_MARK || type == Character.COMBINING_SPACING_MARK;
        }

        private void endWord() {
            if (word.isEmpty()) {
                return;
            }
            long hash = Hash.mix(Hash.add(Hash.EMPTY, word.toString().toLowerCase(Locale.ROOT)));
            word.setLength(0);
            whole = (whole ^ hash) * PRIME;
            int place = (int) (words++ % LENGTH);
            run = run * PRIME + hash - latest[place] * LEAVING;
            latest[place] = hash;
            if (words >= LENGTH) {
                runs.accept(run);
            }
        }

        private static long power() {
            long power = 1;
            for (int i = 0; i < LENGTH; i++) {
                power *= PRIME;
            }
            return power;
        }

        @Override
        public void passedOver(Corpus.PassedOver what) {
            // What cannot be read is told where the text is evaluated.
        }
    }
}
