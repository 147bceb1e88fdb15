package dev.whirlwind.data.sources.formats;

import dev.whirlwind.data.sources.formats.ArrowBatch.Bytes;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.Schema;
import org.apache.arrow.flatbuf.Type;
import org.apache.arrow.flatbuf.Union;
import org.apache.arrow.flatbuf.UnionMode;

/**
 * A column of a batch, laid out as Arrow's columnar format says: whether values are there, where each begins, and the values,
 * each in a buffer of its own.
 */
abstract class ArrowColumn {
    /** The text of a value, in decimal for a number; null where there is none. */
    final String text(long row) throws IOException {
        return isThere(row) ? value(row) : null;
    }

    private final ArrowColumn parent;
    private final Bytes validity;

    /** Has values of so many bits each; null where there are none. */
    private final Bytes data;

    private final int bits;

    private ArrowColumn(ArrowColumn parent, Bytes validity, Bytes data, int bits) {
        this.parent = parent;
        this.validity = validity;
        this.data = data;
        this.bits = bits;
    }

    /** Throws where there are fewer values than so many. */
    final void requireRows(long rows) throws IOException {
        if (data != null) {
            data.requireValues(rows, bits);
        }
    }

    private boolean isThere(long row) throws IOException {
        return (parent == null || parent.isThere(row))
                && (validity == null || validity.isEmpty() || (validity.get(row >> 3) >> (row & 7) & 1) == 1);
    }

    abstract String value(long row) throws IOException;

    /** Values that indices stand for; further ones may come later. */
    static final class Dictionary {
        private final List<ArrowColumn> parts = new ArrayList<>();
        private final List<Long> ends = new ArrayList<>();

        void add(ArrowColumn values, long length, boolean further) {
            if (!further) {
                parts.clear();
                ends.clear();
            }
            parts.add(values);
            ends.add((ends.isEmpty() ? 0 : ends.getLast()) + length);
        }

        String text(long index) throws IOException {
            for (int i = 0; i < parts.size(); i++) {
                if (index >= 0 && index < ends.get(i)) {
                    return parts.get(i).text(index - (i == 0 ? 0 : ends.get(i - 1)));
                }
            }
            throw new IOException("damaged: a value that its dictionary has not");
        }
    }

    static boolean isStruct(Field field) {
        return field.typeType() == Type.Struct_;
    }

    static boolean isText(Field field) {
        return switch (field.typeType()) {
            case Type.Utf8, Type.LargeUtf8, Type.Utf8View -> true;
            default -> false;
        };
    }

    static boolean isScalar(Field field) {
        return switch (field.typeType()) {
            case Type.Int, Type.Bool, Type.Null -> true;
            case Type.FloatingPoint -> floating(field).precision() != Precision.HALF;
            default -> isText(field);
        };
    }

    private static FloatingPoint floating(Field field) {
        return (FloatingPoint) field.type(new FloatingPoint());
    }

    static String typeName(Field field) {
        return Type.name(field.typeType());
    }

    static List<Field> children(Field field) {
        List<Field> children = new ArrayList<>();
        for (int i = 0; i < field.childrenLength(); i++) {
            children.add(field.children(i));
        }
        return children;
    }

    /** The field whose values are in the dictionary; null where there is none. */
    static Field withDictionary(Schema schema, long id) {
        for (int i = 0; i < schema.fieldsLength(); i++) {
            Field field = withDictionary(schema.fields(i), id);
            if (field != null) {
                return field;
            }
        }
        return null;
    }

    private static Field withDictionary(Field field, long id) {
        if (field.dictionary() != null && field.dictionary().id() == id) {
            return field;
        }
        for (Field child : children(field)) {
            Field found = withDictionary(child, id);
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    /**
     * Takes a field's buffers, and those of the fields inside of it.
     *
     * @param into by their paths, what has a text; null where that is not asked for
     */
    static void of(
            Field field,
            ArrowBatch batch,
            Map<Long, Dictionary> dictionaries,
            String prefix,
            Map<String, ArrowColumn> into)
            throws IOException {
        of(field, batch, dictionaries, null, prefix, into);
    }

    /** The values of a dictionary. */
    static ArrowColumn values(Field field, ArrowBatch batch, Map<Long, Dictionary> dictionaries) throws IOException {
        return plain(field, batch, dictionaries, null, "", null);
    }

    private static void of(
            Field field,
            ArrowBatch batch,
            Map<Long, Dictionary> dictionaries,
            ArrowColumn parent,
            String prefix,
            Map<String, ArrowColumn> into)
            throws IOException {
        ArrowColumn column;
        if (field.dictionary() != null) {
            batch.node();
            Bytes validity = batch.buffer();
            Int index = field.dictionary().indexType();
            Bytes indexData = batch.buffer();
            int bits = index == null ? 32 : index.bitWidth();
            ArrowColumn indices = number(parent, validity, indexData, bits, index == null || index.isSigned());
            Dictionary dictionary =
                    dictionaries.computeIfAbsent(field.dictionary().id(), _ -> new Dictionary());
            column = new ArrowColumn(parent, validity, indexData, bits) {
                @Override
                String value(long row) throws IOException {
                    return dictionary.text(Long.parseLong(indices.value(row)));
                }
            };
        } else {
            column = plain(field, batch, dictionaries, parent, prefix, into);
        }
        if (column != null && into != null) {
            into.putIfAbsent(prefix + field.name(), column);
        }
    }

    /** Null for what has no text. */
    private static ArrowColumn plain(
            Field field,
            ArrowBatch batch,
            Map<Long, Dictionary> dictionaries,
            ArrowColumn parent,
            String prefix,
            Map<String, ArrowColumn> into)
            throws IOException {
        batch.node();
        byte type = field.typeType();
        boolean bare = type == Type.Null || type == Type.Union || type == Type.RunEndEncoded;
        Bytes validity = bare ? null : batch.buffer();
        ArrowColumn column = null;
        ArrowColumn inside = null;
        switch (type) {
            case Type.Int -> {
                Int number = (Int) field.type(new Int());
                column = number(parent, validity, batch.buffer(), number.bitWidth(), number.isSigned());
            }
            case Type.FloatingPoint ->
                column = floating(
                        parent, validity, batch.buffer(), floating(field).precision());
            case Type.Bool -> column = bits(parent, validity, batch.buffer());
            case Type.Utf8, Type.Binary -> column = strings(parent, validity, batch.buffer(), batch.buffer(), false);
            case Type.LargeUtf8, Type.LargeBinary ->
                column = strings(parent, validity, batch.buffer(), batch.buffer(), true);
            case Type.Utf8View, Type.BinaryView -> {
                Bytes views = batch.buffer();
                Bytes[] data = new Bytes[batch.variadic()];
                for (int i = 0; i < data.length; i++) {
                    data[i] = batch.buffer();
                }
                column = views(parent, validity, views, data);
            }
            case Type.Null ->
                column = new ArrowColumn(parent, null, null, 0) {
                    @Override
                    String value(long row) {
                        return null;
                    }
                };
            case Type.Struct_ ->
                inside = new ArrowColumn(parent, validity, null, 0) {
                    @Override
                    String value(long row) {
                        return null;
                    }
                };
            case Type.List, Type.LargeList, Type.Map -> batch.buffer();
            case Type.ListView, Type.LargeListView -> {
                batch.buffer();
                batch.buffer();
            }
            case Type.Union -> {
                batch.buffer();
                if (((Union) field.type(new Union())).mode() == UnionMode.Dense) {
                    batch.buffer();
                }
            }
            case Type.FixedSizeList, Type.RunEndEncoded -> {}
            // One buffer of values of a fixed size each.
            default -> batch.buffer();
        }
        for (Field child : children(field)) {
            of(child, batch, dictionaries, inside, prefix + field.name() + ".", inside == null ? null : into);
        }
        return column;
    }

    private static ArrowColumn number(ArrowColumn parent, Bytes validity, Bytes data, int bits, boolean signed) {
        return new ArrowColumn(parent, validity, data, bits) {
            @Override
            String value(long row) throws IOException {
                return switch (bits) {
                    case 8 -> String.valueOf(signed ? data.get(row) : data.get(row) & 0xFF);
                    case 16 -> String.valueOf(signed ? data.getShort(2 * row) : data.getShort(2 * row) & 0xFFFF);
                    case 32 ->
                        signed ? String.valueOf(data.getInt(4 * row)) : Integer.toUnsignedString(data.getInt(4 * row));
                    case 64 ->
                        signed ? String.valueOf(data.getLong(8 * row)) : Long.toUnsignedString(data.getLong(8 * row));
                    default -> throw new IOException("damaged: whole numbers of " + bits + " bits");
                };
            }
        };
    }

    private static ArrowColumn floating(ArrowColumn parent, Bytes validity, Bytes data, short precision) {
        return new ArrowColumn(parent, validity, data, precision == Precision.DOUBLE ? 64 : 32) {
            @Override
            String value(long row) throws IOException {
                return precision == Precision.DOUBLE
                        ? String.valueOf(Double.longBitsToDouble(data.getLong(8 * row)))
                        : String.valueOf(Float.intBitsToFloat(data.getInt(4 * row)));
            }
        };
    }

    private static ArrowColumn bits(ArrowColumn parent, Bytes validity, Bytes data) {
        return new ArrowColumn(parent, validity, data, 1) {
            @Override
            String value(long row) throws IOException {
                return String.valueOf((data.get(row >> 3) >> (row & 7) & 1) == 1);
            }
        };
    }

    private static ArrowColumn strings(ArrowColumn parent, Bytes validity, Bytes offsets, Bytes data, boolean large) {
        return new ArrowColumn(parent, validity, offsets, large ? 64 : 32) {
            @Override
            String value(long row) throws IOException {
                long from = large ? offsets.getLong(8 * row) : offsets.getInt(4 * row);
                long to = large ? offsets.getLong(8 * row + 8) : offsets.getInt(4 * row + 4);
                return ArrowColumn.string(data, from, to - from);
            }
        };
    }

    /** Sixteen bytes each: the length, then the bytes themselves up to twelve, or which buffer they are in, and where. */
    private static ArrowColumn views(ArrowColumn parent, Bytes validity, Bytes views, Bytes[] data) {
        return new ArrowColumn(parent, validity, views, 128) {
            @Override
            String value(long row) throws IOException {
                int length = views.getInt(16 * row);
                if (length <= 12) {
                    return ArrowColumn.string(views, 16 * row + 4, length);
                }
                int buffer = views.getInt(16 * row + 8);
                if (buffer < 0 || buffer >= data.length) {
                    throw new IOException("damaged: a value that lies outside of its column");
                }
                return ArrowColumn.string(data[buffer], views.getInt(16 * row + 12), length);
            }
        };
    }

    private static String string(Bytes data, long from, long length) throws IOException {
        if (length < 0 || length > Integer.MAX_VALUE - 16) {
            throw new IOException("damaged: a text of " + length + " bytes");
        }
        return new String(data.read(from, (int) length), StandardCharsets.UTF_8);
    }
}
