package dev.whirlwind.data;

import dev.whirlwind.model.UserException;
import java.util.Arrays;
import java.util.BitSet;

/**
 * Whole documents in sequences: each where it leaves least room, the longest first (best fit decreasing; Ding et al., arXiv
 * 2404.10830), or each in one of its own. Only documents that are longer than a sequence are cut, and their last parts are packed like
 * others. A place is taken by each token, and by the one that ends a document, after which nothing is predicted; so is nothing in
 * the room that is left.
 */
public final class PackedSequences implements TrainingSequences {
    /** How documents come into sequences. */
    public enum Packing {
        /** One after the other, cut wherever a sequence ends. */
        BLOCKS,
        /** Whole, several to a sequence. */
        BEST_FIT,
        /** Whole, one to a sequence. */
        SINGLE
    }

    private static final int READ = 1 << 16;

    private final TokenSource source;
    private final int sequence;
    private final SequenceOrder order;

    /** Where parts of documents start in the source, and their lengths. */
    private long[] starts = new long[1024];

    private int[] lengths = new int[1024];
    private int parts;

    /** The part after a part in its sequence; -1 after the last. */
    private int[] next;

    /** The first part of each sequence. */
    private int[] first = new int[1024];

    private int count;

    /**
     * Reads through the source.
     *
     * @throws UserException if its documents cannot be told apart
     */
    public PackedSequences(TokenSource source, int sequence, boolean alone, long seed) {
        this.source = source;
        this.sequence = sequence;
        if (source.endOfText() < 0) {
            throw new UserException(source.name()
                    + ": its documents cannot be told apart, as none of its tokens ends them;" + " leave packing out");
        }
        findParts();
        next = new int[parts];
        Arrays.fill(next, -1);
        pack(alone);
        order = new SequenceOrder(count, seed);
    }

    private void findParts() {
        int[] tokens = new int[READ];
        long start = 0;
        for (long from = 0; from < source.tokens(); from += READ) {
            int n = (int) Math.min(READ, source.tokens() - from);
            source.read(from, tokens, 0, n);
            for (int i = 0; i < n; i++) {
                if (tokens[i] == source.endOfText() || from + i == source.tokens() - 1) {
                    addDocument(start, from + i + 1);
                    start = from + i + 1;
                }
            }
        }
        if (parts == 0) {
            throw new UserException(source.name() + ": has no document in which anything can be predicted; add text");
        }
    }

    private void addDocument(long start, long end) {
        for (long from = start; end - from > 1; from += sequence) {
            if (parts == starts.length) {
                int longer = (int) Math.min(2L * parts, Integer.MAX_VALUE - 8);
                starts = Arrays.copyOf(starts, longer);
                lengths = Arrays.copyOf(lengths, longer);
            }
            starts[parts] = from;
            lengths[parts++] = (int) Math.min(sequence, end - from);
        }
    }

    private void pack(boolean alone) {
        // Of sequences with so much room, the last that was begun; the others follow by `sameRoom`.
        int[] withRoom = new int[sequence + 1];
        Arrays.fill(withRoom, -1);
        BitSet rooms = new BitSet();
        int[] sameRoom = new int[parts];
        int[] lastPart = new int[parts];
        for (int part : longestFirst()) {
            int room = alone ? -1 : rooms.nextSetBit(lengths[part]);
            int to;
            if (room < 0) {
                to = count++;
                if (to == first.length) {
                    first = Arrays.copyOf(first, 2 * to);
                }
                first[to] = part;
                room = sequence;
            } else {
                to = withRoom[room];
                withRoom[room] = sameRoom[to];
                rooms.set(room, withRoom[room] >= 0);
                next[lastPart[to]] = part;
            }
            lastPart[to] = part;
            int left = room - lengths[part];
            sameRoom[to] = withRoom[left];
            withRoom[left] = to;
            rooms.set(left);
        }
    }

    /** Parts by their lengths, those of one length as they come. */
    private int[] longestFirst() {
        int[] places = new int[sequence + 2];
        for (int part = 0; part < parts; part++) {
            places[sequence - lengths[part] + 1]++;
        }
        for (int i = 1; i < places.length; i++) {
            places[i] += places[i - 1];
        }
        int[] sorted = new int[parts];
        for (int part = 0; part < parts; part++) {
            sorted[places[sequence - lengths[part]]++] = part;
        }
        return sorted;
    }

    @Override
    public int sequence() {
        return sequence;
    }

    @Override
    public long perEpoch() {
        return count;
    }

    @Override
    public int predicted(long position) {
        int predicted = 0;
        int[] end = new int[1];
        for (int part = first[(int) order.at(position)]; part >= 0; part = next[part]) {
            source.read(starts[part] + lengths[part] - 1, end, 0, 1);
            boolean last = end[0] == source.endOfText() || starts[part] + lengths[part] == source.tokens();
            predicted += lengths[part] - (last ? 1 : 0);
        }
        return predicted;
    }

    @Override
    public void read(long position, int[] tokens, int[] targets, int offset) {
        int to = offset;
        for (int part = first[(int) order.at(position)]; part >= 0; part = next[part]) {
            int length = lengths[part];
            source.read(starts[part], tokens, to, length);
            System.arraycopy(tokens, to + 1, targets, to, length - 1);
            boolean goesOn = tokens[to + length - 1] != source.endOfText() && starts[part] + length < source.tokens();
            if (goesOn) {
                source.read(starts[part] + length, targets, to + length - 1, 1);
            } else {
                targets[to + length - 1] = -1;
            }
            to += length;
        }
        Arrays.fill(tokens, to, offset + sequence, source.endOfText());
        Arrays.fill(targets, to, offset + sequence, -1);
    }
}
