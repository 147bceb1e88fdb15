package dev.whirlwind.model.pytorch;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.weights.Errors;
import dev.whirlwind.model.weights.MappedFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * The entries of a zip archive where they lie in the mapped file: {@code torch.save} stores them uncompressed, so that
 * they can be mapped. The JDK's reader does not tell where that is. After PKWARE's APPNOTE.TXT 6.3.10, 4.3.
 */
final class Archive {
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    static final int LOCAL = 0x04034b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int END = 0x06054b50;
    private static final int END_64 = 0x06064b50;
    private static final int LOCATOR_64 = 0x07064b50;

    private static final int LOCAL_BYTES = 30;
    private static final int CENTRAL_BYTES = 46;
    private static final int END_BYTES = 22;
    private static final int END_64_BYTES = 56;
    private static final int LOCATOR_64_BYTES = 20;

    private static final int EXTRA_64 = 1;
    private static final long IN_EXTRA = 0xffff_ffffL;

    private final MappedFile file;
    private final SequencedMap<String, MemorySegment> entries = new LinkedHashMap<>();

    private Archive(MappedFile file) {
        this.file = file;
    }

    static boolean is(MemorySegment bytes) {
        return bytes.byteSize() >= Integer.BYTES && bytes.get(INT, 0) == LOCAL;
    }

    /**
     * Each entry's content.
     *
     * @throws UserException if the archive is damaged, or an entry is compressed or encrypted
     */
    static SequencedMap<String, MemorySegment> entries(MappedFile file) {
        Archive archive = new Archive(file);
        archive.readDirectory(archive.end());
        return archive.entries;
    }

    /** Where the record is that ends the archive: a comment may follow it. */
    private long end() {
        MemorySegment bytes = file.bytes();
        long last = bytes.byteSize() - END_BYTES;
        for (long at = last; at >= Math.max(0, last - 0xffff); at--) {
            if (bytes.get(INT, at) == END && at + uint16(bytes, at + 20) == last) {
                return at;
            }
        }
        throw Errors.damaged(file.path(), "its end, where a zip archive has its directory, is missing");
    }

    private void readDirectory(long end) {
        MemorySegment bytes = file.bytes();
        long count = uint16(bytes, end + 10);
        long at = uint32(bytes, end + 16);
        long locator = end - LOCATOR_64_BYTES;
        if (locator >= 0 && bytes.get(INT, locator) == LOCATOR_64) {
            MemorySegment end64 = record(bytes.get(LONG, locator + 8), END_64_BYTES, END_64);
            count = end64.get(LONG, 32);
            at = end64.get(LONG, 48);
        }
        for (long i = 0; i < count; i++) {
            MemorySegment fixed = record(at, CENTRAL_BYTES, CENTRAL);
            int nameBytes = uint16(fixed, 28);
            int extraBytes = uint16(fixed, 30);
            String name = new String(
                    part(at + CENTRAL_BYTES, nameBytes).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
            MemorySegment extra = part(at + CENTRAL_BYTES + nameBytes, extraBytes);
            if (entries.putIfAbsent(name, content(name, fixed, extra)) != null) {
                throw Errors.damaged(file.path(), "it holds two entries " + Errors.quote(name));
            }
            at += CENTRAL_BYTES + nameBytes + extraBytes + uint16(fixed, 32);
        }
    }

    private MemorySegment content(String name, MemorySegment fixed, MemorySegment extra) {
        if (uint16(fixed, 10) != 0 || (uint16(fixed, 8) & 1) != 0) {
            throw new UserException(file.path() + ": its entry " + Errors.quote(name)
                    + " is compressed or encrypted, which torch.save never does; load it with torch and save it again");
        }
        // In this order, and only those that did not fit where they belong.
        long[] sizesAndOffset = {uint32(fixed, 24), uint32(fixed, 20), uint32(fixed, 42)};
        MemorySegment wide = wide(extra);
        long from = 0;
        for (int i = 0; i < sizesAndOffset.length; i++) {
            if (sizesAndOffset[i] == IN_EXTRA && from + Long.BYTES <= wide.byteSize()) {
                sizesAndOffset[i] = wide.get(LONG, from);
                from += Long.BYTES;
            }
        }
        if (sizesAndOffset[0] != sizesAndOffset[1]) {
            throw Errors.damaged(file.path(), "its entry " + Errors.quote(name) + " has two sizes");
        }
        MemorySegment local = record(sizesAndOffset[2], LOCAL_BYTES, LOCAL);
        return part(sizesAndOffset[2] + LOCAL_BYTES + uint16(local, 26) + uint16(local, 28), sizesAndOffset[0]);
    }

    /** The extra field of 64-bit numbers; empty if there is none. */
    private static MemorySegment wide(MemorySegment extra) {
        for (long at = 0; at + 4 <= extra.byteSize(); at += 4 + uint16(extra, at + 2)) {
            if (uint16(extra, at) == EXTRA_64) {
                return extra.asSlice(at + 4, Math.min(uint16(extra, at + 2), extra.byteSize() - at - 4));
            }
        }
        return extra.asSlice(0, 0);
    }

    private MemorySegment record(long offset, long length, int signature) {
        MemorySegment found = part(offset, length);
        if (found.get(INT, 0) != signature) {
            throw Errors.damaged(file.path(), "its zip archive has no record at byte " + offset + ", where it should");
        }
        return found;
    }

    private MemorySegment part(long offset, long length) {
        long size = file.bytes().byteSize();
        if (offset < 0 || length < 0 || length > size || offset > size - length) {
            throw Errors.damaged(file.path(), "its zip archive goes beyond the file's end at " + size + " bytes");
        }
        return file.bytes().asSlice(offset, length);
    }

    private static int uint16(MemorySegment bytes, long offset) {
        return Short.toUnsignedInt(bytes.get(SHORT, offset));
    }

    private static long uint32(MemorySegment bytes, long offset) {
        return Integer.toUnsignedLong(bytes.get(INT, offset));
    }
}
