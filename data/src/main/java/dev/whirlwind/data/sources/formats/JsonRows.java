package dev.whirlwind.data.sources.formats;

import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.model.Reason;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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
 * Rows of JSON: objects, each of which is a document by its string field {@code text}, or by what else was selected; what
 * else they hold is not looked at. One bad row costs only itself: rows that are not UTF-8, hold NUL bytes, or have an empty
 * text are passed over and told of; one that is no object with the fields is broken.
 */
public final class JsonRows implements Format {
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

    /** How a row ends whose values are looked at. */
    private static final String EVERY = "every row must be an object that has ";

    /**
     * A row as far as it is looked at: the values that were selected (of JSON's null no text), and the fields that it has.
     */
    private record Row(boolean isObject, Map<String, Value> values, List<String> fields) {
        /** The first of the fields that is missing or holds something else; null where none is. */
        String missing(Selection selection) {
            for (String path : selection.paths()) {
                Value value = values.get(path);
                if (value == null || !value.fits(selection)) {
                    return path;
                }
            }
            return null;
        }

        boolean holds(Selection selection) {
            return missing(selection) == null
                    && values.values().stream().anyMatch(value -> value.token != JsonToken.VALUE_NULL);
        }
    }

    private record Value(JsonToken token, String text) {
        /** A template takes numbers and truth values as they are written. */
        boolean fits(Selection selection) {
            return token == JsonToken.VALUE_STRING
                    || token == JsonToken.VALUE_NULL
                    || (selection.isTemplate() && token.isScalarValue());
        }
    }

    @Override
    public String name() {
        return "json";
    }

    @Override
    public Kind kind() {
        return Kind.ROWS;
    }

    @Override
    public boolean isText() {
        return true;
    }

    @Override
    public boolean recognises(Input file) throws IOException {
        return file.isNamed(".jsonl", ".ndjson", ".jsonlines") || look(file).form != null;
    }

    @Override
    public DocumentReader open(Input file) throws IOException {
        Form form = look(file).form;
        RowSplitter rows = RowSplitter.of(file.in(), form == null ? Form.LINES : form, Long.MAX_VALUE);
        return () -> next(rows, file.options().selection());
    }

    /** Whether a file is JSON that might have been meant as rows, but is not such as are read. */
    public static boolean isOther(Input file) throws IOException {
        return look(file) == Look.OTHER_JSON;
    }

    /**
     * Whether a file holds rows, told by its beginning (the first 100 rows or 1 MiB), whatever its name is: every line is
     * an object with a string field {@code text} (or with what else was selected); or it is one array of such objects; or two or more such objects follow
     * each other. Anything else is not rows: an array or lines of other objects, or a single object over several lines, as
     * settings are.
     */
    private static Look look(Input file) throws IOException {
        InputStream in = file.in();
        Selection selection = file.options().selection();
        in.mark(SAMPLE_BYTES);
        int first = RowSplitter.firstByte(in, SAMPLE_BYTES);
        in.reset();
        return switch (first) {
            case '[' -> sample(in, Look.ARRAY, selection);
            case '{' -> {
                Look lines = sample(in, Look.LINES, selection);
                yield lines == Look.OTHER ? sample(in, Look.OBJECTS, selection) : lines;
            }
            default -> Look.OTHER;
        };
    }

    private static Look sample(InputStream in, Look look, Selection selection) throws IOException {
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
                if (parse(rows, selection).holds(selection)) {
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

    private static Document next(RowSplitter rows, Selection selection) throws IOException {
        do {
            if (!advance(rows)) {
                return null;
            }
        } while (rows.isBlank());
        String label = ":" + rows.number();
        String damage = rows.damage();
        return damage == null ? document(rows, label, selection) : new Document.Passed(label, damage);
    }

    private static boolean advance(RowSplitter rows) throws IOException {
        try {
            return rows.next();
        } catch (RowSplitter.TooLong e) {
            throw new DamagedRow(
                    ":" + rows.number(),
                    "the row has more than " + (RowSplitter.LONGEST >> 20)
                            + " MiB: split it, or put its text in a file of its own",
                    e);
        } catch (EOFException e) {
            throw new DamagedRow(
                    ":" + rows.number(), "the file ends amid this row, as a cut file does: get it anew", e);
        }
    }

    private static Document document(RowSplitter rows, String label, Selection selection) {
        Row row;
        try {
            row = parse(rows, selection);
        } catch (StreamConstraintsException e) {
            return new Document.Broken(label, "nested deeper than " + DEEPEST + " levels", "mend or remove the row");
        } catch (JacksonException e) {
            return new Document.Broken(
                    label,
                    "broken JSON at column " + e.getLocation().getColumnNr() + ": " + Reason.withoutPlace(e),
                    "mend or remove the row");
        }
        String missing = row.missing(selection);
        if (missing != null) {
            String has = !row.isObject
                    ? "it is no object"
                    : row.fields.isEmpty() ? "it has no fields" : "its fields: " + String.join(", ", row.fields);
            return new Document.Broken(
                    label,
                    "no string field \"" + missing + "\" (" + has + ")",
                    EVERY + (selection.isTemplate() ? "the template's fields" : "one"));
        }
        String text = selection.text(path -> row.values.get(path).text);
        return new Document.Text(label, Text.wellFormed(text));
    }

    /** Of a field that comes twice the last counts, as in Python. */
    private static Row parse(RowSplitter row, Selection selection) {
        Map<String, Value> values = new HashMap<>();
        List<String> fields = new ArrayList<>();
        try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), row.bytes(), 0, row.length())) {
            boolean isObject = parser.nextToken() == JsonToken.START_OBJECT;
            if (!isObject) {
                parser.skipChildren();
            }
            while (isObject && parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String field = parser.currentName();
                JsonToken value = parser.nextToken();
                if (fields.size() < FIELDS_LISTED) {
                    fields.add(described(field, value, selection));
                } else if (fields.size() == FIELDS_LISTED) {
                    fields.add("...");
                }
                select(parser, field, value, selection, values);
            }
            if (parser.nextToken() != null) {
                throw new tools.jackson.core.exc.StreamReadException(
                        parser, "something follows after the object's end");
            }
            return new Row(isObject, values, fields);
        }
    }

    /** Takes a value if it was selected, or those inside of it that were; the parser is at its end then. */
    private static void select(
            JsonParser parser, String path, JsonToken value, Selection selection, Map<String, Value> values) {
        if (selection.paths().contains(path)) {
            String text = value.isScalarValue() && value != JsonToken.VALUE_NULL ? parser.getString() : null;
            values.put(path, new Value(value, text));
            parser.skipChildren();
        } else if (value == JsonToken.START_OBJECT && selection.isInside(path)) {
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String inner = path + "." + parser.currentName();
                select(parser, inner, parser.nextToken(), selection, values);
            }
        } else {
            parser.skipChildren();
        }
    }

    private static String described(String field, JsonToken value, Selection selection) {
        String name = Reason.oneLine(field.length() > 40 ? field.substring(0, 40) + "..." : field);
        return !selection.paths().contains(field)
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
