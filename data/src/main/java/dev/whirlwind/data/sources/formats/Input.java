package dev.whirlwind.data.sources.formats;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/**
 * A file that is to be read, unpacked.
 *
 * @param name in lower case, and without an ending that says how it was packed
 * @param in at its beginning; may be marked
 * @param again the same as often as need be; null where it can be read only once, as in a tar archive
 * @param path of a file that is neither packed nor in an archive, or null
 */
public record Input(String name, InputStream in, Content again, Path path, ReadOptions options) {
    /** Its first bytes, fewer where it is shorter. */
    byte[] start(int most) throws IOException {
        in.mark(most);
        byte[] bytes = in.readNBytes(most);
        in.reset();
        return bytes;
    }

    boolean startsWith(byte[] magic) throws IOException {
        return Arrays.equals(start(magic.length), magic);
    }

    boolean isNamed(String... endings) {
        return Arrays.stream(endings).anyMatch(name::endsWith);
    }

    /** What it holds, to be read at any place. */
    FileChannel channel() throws IOException {
        return (again == null ? Content.kept(in) : again).channel();
    }

    static String plainName(String name) {
        return name.toLowerCase(Locale.ROOT)
                .replaceFirst("\\.(tgz|tbz2?|txz|tzst)$", ".tar")
                .replaceFirst("\\.(gz|bz2|xz|zst|lz4)$", "");
    }

    public static Input of(String name, InputStream in, Content again, Path path, ReadOptions options) {
        return new Input(plainName(name), in, again, path, options);
    }
}
