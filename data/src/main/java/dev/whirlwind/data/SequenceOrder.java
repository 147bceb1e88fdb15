package dev.whirlwind.data;

import dev.whirlwind.data.sources.Hash;
import java.math.BigInteger;

/**
 * A shuffle that is a pure function of (seed, epoch, position), so that a resumed run continues it without replaying or
 * storing anything: a format-preserving Feistel network with modular addition over a grid just large enough for the
 * count, walked until it lands inside (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
 */
public final class SequenceOrder {
    /** Even the smallest counts reach all their orders about equally often with this many (see the test). */
    private static final int ROUNDS = 12;

    private final long count;
    private final long seed;

    /** The grid: places are {@code row * columns + column}, {@code rows * columns >= count}. */
    private final long rows;

    private final long columns;

    /** An order of {@code count} sequences, each of which comes once per epoch. */
    public SequenceOrder(long count, long seed) {
        if (count < 1) {
            throw new IllegalArgumentException(count + " sequences");
        }
        this.count = count;
        this.seed = seed;
        long root = BigInteger.valueOf(count).sqrt().longValueExact();
        rows = root * root == count ? root : root + 1;
        columns = (count + rows - 1) / rows;
    }

    /** The sequence at a position that counts on through the epochs: epoch {@code position / count} is shuffled anew. */
    public long at(long position) {
        long key = Hash.mix(Hash.mix(seed) + position / count);
        long place = position % count;
        do {
            place = permute(place, key);
        } while (place >= count);
        return place;
    }

    private long permute(long place, long key) {
        long row = place / columns;
        long column = place % columns;
        for (int round = 0; round < ROUNDS; round += 2) {
            row = (row + random(key, round, column, rows)) % rows;
            column = (column + random(key, round + 1, row, columns)) % columns;
        }
        return row * columns + column;
    }

    /** A number in [0, bound) drawn for one half of a place in one round. */
    private static long random(long key, int round, long half, long bound) {
        return Math.unsignedMultiplyHigh(Hash.mix(Hash.mix(key + round) + half), bound);
    }
}
