package dev.whirlwind.data.sources;

import dev.whirlwind.model.UserException;
import java.io.BufferedInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.function.LongSupplier;

/**
 * Counts what comes out of a compressed file, and refuses to go on where that is out of all proportion to what went in: a
 * "bomb" of some kilobytes can unpack to petabytes. Text is rarely compressed to less than a fiftieth.
 */
final class Expansion {
    private static final long HARMLESS_BYTES = 1L << 30;
    private static final int MOST = 500;

    private final String place;
    private final LongSupplier packed;
    private long unpacked;

    /** @param packed bytes that went in so far */
    Expansion(String place, LongSupplier packed) {
        this.place = place;
        this.packed = packed;
    }

    /** Counts what is read of one of the streams that come out. */
    InputStream of(InputStream in) {
        return new Counted(in) {
            @Override
            void count(long n) {
                unpacked += n;
                if (unpacked > HARMLESS_BYTES && unpacked / MOST > packed.getAsLong()) {
                    throw new UserException(place + ": unpacks to more than " + MOST
                            + " times its size; if that is meant, unpack it and give what it holds");
                }
            }
        };
    }

    /** What is in a compressed stream. */
    static InputStream unpack(Compression compression, InputStream in, String place) throws IOException {
        long[] packed = {0};
        InputStream counted = new Counted(in) {
            @Override
            void count(long n) {
                packed[0] += n;
            }
        };
        InputStream buffered = new BufferedInputStream(counted, 1 << 16);
        return new Expansion(place, () -> packed[0]).of(compression.open(buffered));
    }

    private abstract static class Counted extends FilterInputStream {
        Counted(InputStream in) {
            super(in);
        }

        abstract void count(long n);

        @Override
        public int read() throws IOException {
            int b = super.read();
            count(b < 0 ? 0 : 1);
            return b;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int n = super.read(bytes, offset, length);
            count(Math.max(0, n));
            return n;
        }
    }
}
