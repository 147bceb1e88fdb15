package dev.whirlwind.model.pytorch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes what torch.save could have written, and what it never would. Pickles are strings, a character a byte. */
public final class Torch {
    private Torch() {}

    /** A zip archive of a pickle, and of one storage named 0 if it has bytes. */
    public static byte[] zip(String pickle, int storageBytes) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            entry(zip, "archive/data.pkl", bytes(pickle));
            entry(zip, "archive/byteorder", bytes("little"));
            if (storageBytes > 0) {
                entry(zip, "archive/data/0", new byte[storageBytes]);
            }
        }
        return bytes.toByteArray();
    }

    static void entry(ZipOutputStream zip, String name, byte[] content) throws IOException {
        ZipEntry entry = new ZipEntry(name);
        CRC32 crc = new CRC32();
        crc.update(content);
        entry.setMethod(ZipEntry.STORED);
        entry.setCrc(crc.getValue());
        entry.setSize(content.length);
        zip.putNextEntry(entry);
        zip.write(content);
        zip.closeEntry();
    }

    public static byte[] bytes(String characters) {
        return characters.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** A state dict of one tensor. */
    static String dict(String name, String value) {
        return "\u0080\u0002}(" + string(name) + value + "u.";
    }

    /** A view of floats. */
    static String tensor(String key, long elements, long offset, long[] sizes, long[] strides) {
        return "ctorch._utils\n_rebuild_tensor_v2\n((" + string("storage") + "ctorch\nFloatStorage\n" + string(key)
                + string("cpu") + number(elements) + "tQ" + number(offset) + tuple(sizes) + tuple(strides)
                + "\u0089ccollections\nOrderedDict\n)RtR";
    }

    static String string(String text) {
        return "X" + littleEndian(text.length(), 4) + text;
    }

    static String number(long number) {
        return "\u008a\u0008" + littleEndian(number, 8);
    }

    static String littleEndian(long number, int length) {
        byte[] bytes = ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(number)
                .array();
        return new String(bytes, 0, length, StandardCharsets.ISO_8859_1);
    }

    private static String tuple(long... numbers) {
        StringBuilder tuple = new StringBuilder("(");
        for (long number : numbers) {
            tuple.append(number(number));
        }
        return tuple.append('t').toString();
    }
}
