package dev.whirlwind.data.sources;

import dev.whirlwind.data.sources.Corpus.PassedOver;
import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;

/**
 * Rows of JSON: objects, each of which is a document by its string field {@code text}; what else they hold is not looked
 * at. One bad row costs only itself: rows that are not UTF-8, hold NUL bytes, or have an empty text are passed over and
 * told of; a broken one, or one without the field, is an error.
 */
final class Rows {
    /** How rows follow each other in a file. */
    enum Form {
        /** JSON Lines: a row in each line. */
        LINES,

        /** One array that holds the rows. */
        ARRAY,

        /** Objects over several lines one after the other, as jq writes them. */
        OBJECTS
    }

    /** What the beginning of a file looks like. */
    enum Look {
        LINES(Form.LINES),
        ARRAY(Form.ARRAY),
        OBJECTS(Form.OBJECTS),

        /** JSON that might have been meant as rows, but is not such as are read. */
        OTHER_JSON(null),
        OTHER(null);

        /** Null for what is not rows. */
        final Form form;

        Look(Form form) {
            this.form = form;
        }
    }

    private static final String FIELD = "text";

    /** Rows, and bytes, after which a file is taken for what it has looked like so far. */
    private static final int SAMPLE_ROWS = 100;

    private static final int SAMPLE_BYTES = 1 << 20;

    /** Of a file, that are ever looked at to recognise it: the longest row after a sample. */
    private static final int LOOKED_AT = RowSplitter.LONGEST + SAMPLE_BYTES;

    private static final int DEEPEST = 100_000;
    private static final int FIELDS_LISTED = 8;

    /** Bounded by the length of a row alone; NaN and Infinity stand in fields as Python writes them. */
    private static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(Integer.MAX_VALUE)
                    .maxNameLength(Integer.MAX_VALUE)
                    .maxNumberLength(Integer.MAX_VALUE)
                    .maxNestingDepth(DEEPEST)
                    .build())
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            // Names whose hashes are the same are only slow.
            .disable(TokenStreamFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
            .build();

    /** A row as far as it is looked at: its text (null for JSON's null), or the fields that it has instead. */
    private record Row(boolean isObject, boolean hasText, String text, List<String> fields) {}

    private Rows() {}

    /**
     * Whether a file holds rows, told by its beginning (the first 100 rows or 1 MiB), whatever its name is: every line is
     * an object with a string field {@code text}; or it is one array of such objects; or two or more such objects follow
     * each other. Anything else is not rows: an array or lines of other objects, or a single object over several lines, as
     * settings are.
     *
     * @param in at the file's beginning, where it is afterwards again; must support marks
     */
    static Look recognise(InputStream in) throws IOException {
        in.mark(SAMPLE_BYTES);
        int first = RowSplitter.firstByte(in, SAMPLE_BYTES);
        in.reset();
        return switch (first) {
            case '[' -> sample(in, Look.ARRAY);
            case '{' -> {
                Look lines = sample(in, Look.LINES);
                yield lines == Look.OTHER ? sample(in, Look.OBJECTS) : lines;
            }
            default -> Look.OTHER;
        };
    }

    private static Look sample(InputStream in, Look look) throws IOException {
        in.mark(LOOKED_AT);
        RowSplitter rows = RowSplitter.of(in, look.form, LOOKED_AT);
        int texts = 0;
        int others = 0;
        try {
            while (texts + others < SAMPLE_ROWS && rows.offset() < SAMPLE_BYTES && rows.next()) {
                if (rows.isBlank() || rows.damage() != null) {
                    continue;
                }
                if (rows.first() != '{') {
                    return texts > 0 ? Look.OTHER_JSON : Look.OTHER;
                }
                Row row = parse(rows);
                if (row.hasText && row.text != null) {
                    texts++;
                } else {
                    others++;
                }
            }
        } catch (JacksonException | EOFException | RowSplitter.TooLong _) {
            // A row that is broken, cut off or too long after good ones is one for the reader to tell of.
            if (texts + others == 0) {
                return Look.OTHER;
            }
        } finally {
            in.reset();
        }
        // A single object over several lines is no row, but may have been meant as one.
        boolean single = look == Look.OBJECTS && texts + others == 1;
        if (texts > 0 && others == 0 && !single) {
            return look;
        }
        boolean severalOthers = others > 1 && !single;
        return texts > 0 || severalOthers ? Look.OTHER_JSON : Look.OTHER;
    }

    /**
     * Reads all rows.
     *
     * @param name of the file, which with the number of the line, or of the row in an array, is that of a document
     * @param place what errors call the file
     * @return whether there are any
     */
    static boolean read(InputStream in, Form form, String name, String place, Corpus.Sink sink) throws IOException {
        RowSplitter rows = RowSplitter.of(in, form, Long.MAX_VALUE);
        boolean any = false;
        while (next(rows, place)) {
            if (rows.isBlank()) {
                continue;
            }
            any = true;
            String document = name + ":" + rows.number();
            String here = place + ":" + rows.number();
            String damage = rows.damage();
            String text = damage == null ? text(rows, here) : null;
            if (damage != null) {
                sink.passedOver(new PassedOver(PassedOver.Unit.ROW, document, here, damage));
            } else if (text.isBlank()) {
                sink.passedOver(new PassedOver(PassedOver.Unit.ROW, document, here, PassedOver.EMPTY));
            } else {
                TextReader.cut(text, TextReader.PIECE, (piece, last) -> sink.text(document, piece, last));
            }
        }
        return any;
    }

    private static boolean next(RowSplitter rows, String place) throws IOException {
        try {
            return rows.next();
        } catch (RowSplitter.TooLong e) {
            throw new UserException(
                    place + ":" + rows.number() + ": the row has more than " + (RowSplitter.LONGEST >> 20)
                            + " MiB: split it, or put its text in a file of its own",
                    e);
        } catch (EOFException e) {
            throw new UserException(
                    place + ":" + rows.number() + ": the file ends amid this row, as a cut file does: get it anew", e);
        }
    }

    private static String text(RowSplitter rows, String here) {
        Row row;
        try {
            row = parse(rows);
        } catch (StreamConstraintsException e) {
            throw new UserException(here + ": nested deeper than " + DEEPEST + " levels: mend or remove the row", e);
        } catch (JacksonException e) {
            throw new UserException(
                    here + ": broken JSON at column " + e.getLocation().getColumnNr() + ": " + Reason.withoutPlace(e)
                            + ": mend or remove the row",
                    e);
        }
        if (!row.hasText) {
            String has = !row.isObject
                    ? "it is no object"
                    : row.fields.isEmpty() ? "it has no fields" : "its fields: " + String.join(", ", row.fields);
            throw new UserException(here + ": no string field \"" + FIELD + "\" (" + has
                    + "): every row must be an object that has one");
        }
        return row.text == null ? "" : Text.wellFormed(row.text);
    }

    /** Of a field that comes twice the last counts, as in Python. */
    private static Row parse(RowSplitter row) {
        boolean hasText = false;
        String text = null;
        List<String> fields = new ArrayList<>();
        try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), row.bytes(), 0, row.length())) {
            boolean isObject = parser.nextToken() == JsonToken.START_OBJECT;
            if (!isObject) {
                parser.skipChildren();
            }
            while (isObject && parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String field = parser.currentName();
                JsonToken value = parser.nextToken();
                if (field.equals(FIELD)) {
                    hasText = value == JsonToken.VALUE_STRING || value == JsonToken.VALUE_NULL;
                    text = value == JsonToken.VALUE_STRING ? parser.getString() : null;
                }
                if (fields.size() < FIELDS_LISTED) {
                    fields.add(described(field, value));
                } else if (fields.size() == FIELDS_LISTED) {
                    fields.add("...");
                }
                parser.skipChildren();
            }
            if (parser.nextToken() != null) {
                throw new tools.jackson.core.exc.StreamReadException(
                        parser, "something follows after the object's end");
            }
            return new Row(isObject, hasText, text, fields);
        }
    }

    private static String described(String field, JsonToken value) {
        String name = Reason.oneLine(field.length() > 40 ? field.substring(0, 40) + "..." : field);
        return !field.equals(FIELD)
                ? name
                : name
                        + switch (value) {
                            case START_OBJECT -> " (an object)";
                            case START_ARRAY -> " (an array)";
                            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> " (a number)";
                            case VALUE_TRUE, VALUE_FALSE -> " (true or false)";
                            default -> "";
                        };
    }
}
