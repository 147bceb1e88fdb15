package dev.whirlwind.data.sources;

import com.github.luben.zstd.ZstdIOException;
import com.github.luben.zstd.ZstdInputStream;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Optional;
import org.apache.commons.compress.compressors.bzip2.BZip2CompressorInputStream;
import org.apache.commons.compress.compressors.lz4.FramedLZ4CompressorInputStream;
import org.tukaani.xz.XZInputStream;

/** How a file may be packed, told by its first bytes whatever its name is. Files of several parts are read to their end. */
enum Compression {
    GZIP("gzip", "1f8b08") {
        @Override
        InputStream open(InputStream in) throws IOException {
            return new GzipMembers(in);
        }
    },
    ZSTD("zstd", "28b52ffd") {
        @Override
        InputStream open(InputStream in) throws IOException {
            return new Zstd(in);
        }
    },
    /** What pzstd begins with: a frame to be skipped, of sixteen kinds. */
    ZSTD_SKIPPABLE("zstd", "..2a4d18") {
        @Override
        boolean begins(byte[] start) {
            return super.begins(start) && (start[0] & 0xF0) == 0x50;
        }

        @Override
        InputStream open(InputStream in) throws IOException {
            return new Zstd(in);
        }
    },
    /** With the number pi, as text that begins with BZh does not go on. */
    BZIP2("bzip2", "425a68..314159265359") {
        @Override
        InputStream open(InputStream in) throws IOException {
            return new BZip2CompressorInputStream(in, true);
        }
    },
    XZ("xz", "fd377a585a00") {
        @Override
        InputStream open(InputStream in) throws IOException {
            return new XZInputStream(in, XZ_MEMORY_KIB);
        }
    },
    LZ4("lz4", "04224d18") {
        @Override
        InputStream open(InputStream in) throws IOException {
            return new FramedLZ4CompressorInputStream(in, true);
        }
    };

    /** What xz -9 needs to unpack is 65 MiB. */
    private static final int XZ_MEMORY_KIB = 256 << 10;

    /** Of a window that zstd --long=31 asks for. */
    private static final int ZSTD_WINDOW_LOG = 31;

    static final int LONGEST = 10;

    private final String title;
    /** In hexadecimal, with two dots for any byte. */
    private final String magic;

    Compression(String title, String magic) {
        this.title = title;
        this.magic = magic;
    }

    static Optional<Compression> of(byte[] start) {
        return Arrays.stream(values()).filter(kind -> kind.begins(start)).findFirst();
    }

    boolean begins(byte[] start) {
        for (int i = 0; i < magic.length() / 2; i++) {
            String digits = magic.substring(2 * i, 2 * i + 2);
            if (i >= start.length || !(digits.equals("..") || Integer.parseInt(digits, 16) == (start[i] & 0xFF))) {
                return false;
            }
        }
        return true;
    }

    /** What is in it. */
    abstract InputStream open(InputStream in) throws IOException;

    String title() {
        return title;
    }

    private static final class Zstd extends FilterInputStream {
        Zstd(InputStream in) throws IOException {
            super(new ZstdInputStream(in).setLongMax(ZSTD_WINDOW_LOG));
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            try {
                return super.read(bytes, offset, length);
            } catch (ZstdIOException e) {
                if (String.valueOf(e.getMessage()).startsWith("Truncated")) {
                    throw (EOFException) new EOFException(e.getMessage()).initCause(e);
                }
                throw new IOException("damaged zstd (" + e.getMessage() + ")", e);
            }
        }
    }
}
