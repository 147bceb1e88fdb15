package dev.whirlwind.model.files;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Files that are read into memory as a whole: only regular ones, as a device or a pipe may never end, and none that is
 * larger than what it claims to be can reasonably be.
 */
public final class WholeFile {
    /** Most bytes of settings, such as config.json: whatever is larger is another file under that name. */
    public static final long SETTINGS = 64 << 20;

    /** Most bytes of a file with an entry per token, tensor or file, such as tokenizer.json. */
    public static final long TABLE = 512 << 20;

    private static final char BYTE_ORDER_MARK = '\uFEFF';
    private static final byte[] LFS_POINTER = "version https://git-lfs".getBytes(StandardCharsets.US_ASCII);

    private WholeFile() {}

    /**
     * Reads a file.
     *
     * @param most bytes that it may have
     * @throws UserException if it is not a regular file, larger than {@code most}, or a Git LFS pointer
     * @throws IOException if it cannot be read
     */
    public static byte[] read(Path file, long most) throws IOException {
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new UserException(
                    file + ": is not a file but a " + (Files.isDirectory(file) ? "folder" : "device or pipe"));
        }
        // Not by the size that the system tells alone, as the file may grow, and those of /proc have none.
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = Files.size(file) > most ? null : in.readNBytes((int) most + 1);
            if (bytes == null || bytes.length > most) {
                throw new UserException(file + ": has more than " + (most >> 20)
                        + " MiB, which no such file has; check that it is the right one");
            }
            refusePointer(file, bytes);
            return bytes;
        }
    }

    /**
     * Reads a text, without the byte order mark that some editors put before it.
     *
     * @throws IOException if it cannot be read, which is a CharacterCodingException where it is not UTF-8
     */
    public static String text(Path file, long most) throws IOException {
        CharBuffer text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(read(file, most)));
        boolean marked = !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK;
        return text.subSequence(marked ? 1 : 0, text.length()).toString();
    }

    /** Throws if a file, of which this is the start at least, is what Git leaves in place of a large one. */
    public static void refusePointer(Path file, byte[] start) {
        if (start.length >= LFS_POINTER.length
                && Arrays.equals(start, 0, LFS_POINTER.length, LFS_POINTER, 0, LFS_POINTER.length)) {
            throw new UserException(
                    file + ": is a Git LFS pointer, not the file itself; run 'git lfs pull' in its folder");
        }
    }
}
