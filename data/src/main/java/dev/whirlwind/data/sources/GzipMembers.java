package dev.whirlwind.data.sources;

import java.io.IOException;
import java.io.InputStream;
import java.util.zip.ZipException;
import org.apache.commons.compress.compressors.gzip.GzipCompressorInputStream;

/**
 * The parts of a gzip file one after the other (RFC 1952 calls them members), to its end. The JDK's own stream takes
 * a damaged beginning of a later one for the file's end. Zeros at the end are what tapes are filled up with.
 */
final class GzipMembers extends InputStream {
    private static final int[] MAGIC = {0x1F, 0x8B};

    private final InputStream in;
    private InputStream member;

    GzipMembers(InputStream in) throws IOException {
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
        if (first >= 0 && (first != MAGIC[0] || in.read() != MAGIC[1])) {
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
