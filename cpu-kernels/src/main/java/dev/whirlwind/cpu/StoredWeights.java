package dev.whirlwind.cpu;

import dev.whirlwind.model.Format;
import dev.whirlwind.model.StochasticRounding;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * Weights that lie in memory with fewer bits than floats. They have addresses as floats have, 4 bytes apart, but below zero,
 * where there is no memory: operations that know of them widen some at a time to where floats are, and the arithmetic of
 * places in matrices is the same for both. For reading by several threads at a time.
 */
final class StoredWeights {
    /** Weights that a task widens or rounds: whole blocks of every format. */
    private static final int PIECE = 1 << 14;

    /** Weights that follow each other, in one format. */
    interface Part {
        Format format();

        float at(long weight);

        /** Widens weights {@code first} to {@code first + count} into floats. */
        void widen(long first, int count, long to);

        /** Rounds floats, as {@link StoredWeights#roundAll} does. */
        void round(long first, int count, long from, long key, long element);
    }

    private final Workers workers;

    /** Numbers of the parts' first weights, ascending, and at last that of the next part to come. */
    private long[] firsts = {0};

    private Part[] parts = {};

    StoredWeights(Workers workers) {
        this.workers = workers;
    }

    /** Whether an address is one of these. */
    static boolean isStored(long address) {
        return address < 0;
    }

    private static long address(long weight) {
        return Long.MIN_VALUE + Float.BYTES * weight;
    }

    private static long weight(long address) {
        return (address - Long.MIN_VALUE) / Float.BYTES;
    }

    /** Gives addresses to parts that follow each other, of so many weights each. */
    Stored add(CpuEngine engine, String name, List<Part> added, long[] lengths) {
        int known = parts.length;
        long start = firsts[known];
        long[] newFirsts = Arrays.copyOf(firsts, known + added.size() + 1);
        Part[] newParts = Arrays.copyOf(parts, known + added.size());
        for (int i = 0; i < added.size(); i++) {
            newParts[known + i] = added.get(i);
            newFirsts[known + i + 1] = newFirsts[known + i] + lengths[i];
        }
        firsts = newFirsts;
        parts = newParts;
        return new Stored(engine, name, this, address(start), newFirsts[parts.length] - start);
    }

    private int part(long weight) {
        int found = Arrays.binarySearch(firsts, weight);
        return found >= 0 ? found : -found - 2;
    }

    Format format(long address) {
        return parts[part(weight(address))].format();
    }

    private float at(long address) {
        long weight = weight(address);
        int part = part(weight);
        return parts[part].at(weight - firsts[part]);
    }

    /** Whether weights are floats in memory. */
    boolean areFloats(long address, long count) {
        long weight = weight(address);
        int part = part(weight);
        return parts[part] instanceof StoredFloats && weight + count <= firsts[part + 1];
    }

    /** The address of memory that holds a weight as a float, and those after it in its part. */
    long floats(long address) {
        long weight = weight(address);
        int part = part(weight);
        if (!(parts[part] instanceof StoredFloats floats)) {
            throw new IllegalArgumentException("weights that are kept as " + parts[part].format() + " are no floats");
        }
        return floats.address() + Float.BYTES * (weight - firsts[part]);
    }

    /** The address of memory that holds bfloat16 numbers from a weight on; 0 where it is kept as something else. */
    long halves(long address) {
        long weight = weight(address);
        int part = part(weight);
        return parts[part] instanceof Bfloat16 halves ? halves.address() + Short.BYTES * (weight - firsts[part]) : 0;
    }

    /** Widens weights of one part, such as some of a matrix's row. */
    void widen(long address, int count, long to) {
        long weight = weight(address);
        int part = part(weight);
        parts[part].widen(weight - firsts[part], count, to);
    }

    /** Widens weights, which may be of several parts. */
    void widenAll(long address, long count, long to) {
        pieces(address, count, (part, first, length, done) -> part.widen(first, length, to + Float.BYTES * done));
    }

    /**
     * Rounds floats to weights.
     *
     * @param key of {@link StochasticRounding}, or its NEAREST
     * @param element the number of the first, by which random bits are told apart
     */
    void roundAll(long address, long count, long from, long key, long element) {
        pieces(
                address,
                count,
                (part, first, length, done) ->
                        part.round(first, length, from + Float.BYTES * done, key, element + done));
    }

    private interface Piece {
        void run(Part part, long first, int length, long done);
    }

    private void pieces(long address, long count, Piece piece) {
        long start = weight(address);
        for (long done = 0; done < count; ) {
            int part = part(start + done);
            long first = start + done - firsts[part];
            long length = Math.min(count - done, firsts[part + 1] - start - done);
            long before = done;
            if (length <= PIECE) {
                piece.run(parts[part], first, (int) length, before);
            } else {
                // Cut at whole blocks, which only one task at a time may change.
                long firstPiece = first / PIECE;
                long end = Math.ceilDiv(first + length, (long) PIECE);
                workers.run(Math.toIntExact(end - firstPiece), (task, worker) -> {
                    long from = Math.max(first, (firstPiece + task) * PIECE);
                    long to = Math.min(first + length, (firstPiece + task + 1) * PIECE);
                    piece.run(parts[part], from, (int) (to - from), before + from - first);
                });
            }
            done += length;
        }
    }

    /** A buffer of such weights. */
    record Stored(CpuEngine engine, String name, StoredWeights weights, long address, long length)
            implements CpuEngine.CpuMemory {
        @Override
        public MemorySegment segment() {
            throw new IllegalStateException(name + " are not all kept as floats");
        }

        private long place(long offset) {
            return address + Float.BYTES * offset;
        }

        @Override
        public Format format(long offset) {
            return weights.format(place(offset));
        }

        @Override
        public float at(long offset) {
            return weights.at(place(offset));
        }

        @Override
        public void get(long offset, MemorySegment to, long count) {
            weights.widenAll(place(offset), count, to.address());
        }

        @Override
        public void put(long offset, MemorySegment from, long count) {
            weights.roundAll(place(offset), count, from.address(), StochasticRounding.NEAREST, offset);
        }
    }
}
