package dev.whirlwind.data.sources;

import dev.whirlwind.model.UserException;
import java.io.BufferedInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.function.LongSupplier;
import java.util.zip.ZipException;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;

/**
 * Counts what comes out of a compressed file, and refuses to go on where that is out of all proportion to what went in: a
 * "bomb" of some kilobytes can unpack to petabytes. Text is rarely compressed to less than a fiftieth.
 */
final class Expansion {
    private static final long HARMLESS_BYTES = 1L << 30;
    private static final int MOST = 500;
    private static final int[] GZIP = {0x1F, 0x8B};

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

    /** A gzipped stream's content. */
    static InputStream gunzip(InputStream in, String place) throws IOException {
        long[] packed = {0};
        InputStream counted = new Counted(in) {
            @Override
            void count(long n) {
                packed[0] += n;
            }
        };
        return new Expansion(place, () -> packed[0]).of(new Members(new BufferedInputStream(counted, 1 << 16)));
    }

    /**
     * The parts of a gzip file one after the other (RFC 1952 calls them members), to its end. The JDK's own stream takes
     * a damaged beginning of a later one for the file's end. Zeros at the end are what tapes are filled up with.
     */
    private static final class Members extends InputStream {
        private final InputStream in;
        private InputStream member;

        Members(InputStream in) throws IOException {
            this.in = in;
            member = new GzipCompressorInputStream(in);
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            int n = member.read(bytes, offset, length);
            while (n < 0 && more()) {
                member = new GzipCompressorInputStream(in);
                n = member.read(bytes, offset, length);
            }
            return n;
        }

        private boolean more() throws IOException {
            int first;
            do {
                in.mark(2);
                first = in.read();
            } while (first == 0);
            if (first >= 0 && (first != GZIP[0] || in.read() != GZIP[1])) {
                throw new ZipException("damaged: something that is not gzip's follows amid it");
            }
            in.reset();
            return first >= 0;
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
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
