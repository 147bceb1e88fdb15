package dev.whirlwind.training.tasks;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.scoring.TextLines;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** A task's file: JSON objects, one after the other or in an array; SQuAD's nested form; or, for LAMBADA, plain lines. */
final class TaskFile {
    /** Fields may hold NaN and Infinity, as Python writes them. */
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();

    private static final Pattern JSON_NAME = Pattern.compile("\\.jsonl?(\\.gz)?$");
    private static final Pattern JSON_BEGINNING = Pattern.compile("\\s*(\\[\\s*)?\\{");
    private static final String LABELS = "-labels.lst";

    /** An object of the file, and where it stands. */
    record Found(String place, JsonNode json) {}

    private TaskFile() {}

    /** Its objects, at least one. */
    static List<Found> read(Path file, boolean plainLines) {
        String text = TextLines.readUnmarked(file);
        boolean json = JSON_NAME.matcher(file.toString()).find()
                || JSON_BEGINNING.matcher(text).lookingAt();
        try {
            List<Found> rows = plainLines && !json ? lines(text) : squad(objects(file, text));
            if (rows.isEmpty()) {
                throw new UserException(file + ": is empty; a task needs a JSON object a line");
            }
            return withLabels(file, rows);
        } catch (JacksonException e) {
            throw new UserException(
                    file + ": not valid JSON (" + Reason.of(e) + "); a task needs a JSON object a line", e);
        }
    }

    private static List<Found> objects(Path file, String text) {
        List<Found> rows = new ArrayList<>();
        boolean array = false;
        try (JsonParser parser = JSON.createParser(text)) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                String place = "line " + parser.currentTokenLocation().getLineNr();
                if (token == JsonToken.START_OBJECT) {
                    rows.add(new Found(place, parser.readValueAsTree()));
                } else if (token == JsonToken.START_ARRAY && rows.isEmpty() && !array) {
                    array = true;
                } else if (token != JsonToken.END_ARRAY) {
                    throw new UserException(file + ": " + place + " is not a JSON object; a task needs one a line");
                }
            }
        }
        return rows;
    }

    private static List<Found> lines(String text) {
        List<Found> rows = new ArrayList<>();
        List<String> lines = List.of(text.split("\r?\n", -1));
        for (int i = 0; i < lines.size(); i++) {
            if (!lines.get(i).isBlank()) {
                rows.add(new Found(
                        "line " + (i + 1),
                        JSON.createObjectNode().put("text", lines.get(i).strip())));
            }
        }
        return rows;
    }

    /** Where the file is of SQuAD's nested form, a row for each question. */
    private static List<Found> squad(List<Found> rows) {
        if (rows.size() != 1 || !rows.getFirst().json().path("data").path(0).has("paragraphs")) {
            return rows;
        }
        List<Found> questions = new ArrayList<>();
        JsonNode data = rows.getFirst().json().get("data");
        for (int i = 0; i < data.size(); i++) {
            JsonNode paragraphs = data.get(i).path("paragraphs");
            for (int j = 0; j < paragraphs.size(); j++) {
                JsonNode all = paragraphs.get(j).path("qas");
                for (int k = 0; k < all.size(); k++) {
                    ObjectNode row = JSON.createObjectNode();
                    put(row, "title", data.get(i).get("title"));
                    put(row, "context", paragraphs.get(j).get("context"));
                    all.get(k).propertyStream().forEach(field -> row.set(field.getKey(), field.getValue()));
                    questions.add(new Found("data[%d].paragraphs[%d].qas[%d]".formatted(i, j, k), row));
                }
            }
        }
        return questions;
    }

    private static void put(ObjectNode row, String field, JsonNode value) {
        if (value != null) {
            row.set(field, value);
        }
    }

    /** Labels that lie in a file of their own, as PIQA's do, go into the rows. */
    private static List<Found> withLabels(Path file, List<Found> rows) {
        String name = file.getFileName().toString();
        Path labels = file.resolveSibling(name.replaceFirst("\\.jsonl$", "") + LABELS);
        if (!name.endsWith(".jsonl") || rows.getFirst().json().has("label") || !Files.isRegularFile(labels)) {
            return rows;
        }
        List<String> lines = TextLines.readUnmarked(labels).lines().toList();
        if (lines.size() != rows.size()) {
            throw new UserException(labels
                    + ": has %,d lines, but %s has %,d rows; they must belong together"
                            .formatted(lines.size(), file, rows.size()));
        }
        List<Found> labelled = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            JsonNode row = rows.get(i).json();
            labelled.add(new Found(
                    rows.get(i).place(),
                    ((ObjectNode) row).put("label", lines.get(i).strip())));
        }
        return labelled;
    }

    /** What preset a file of no stated form is of, by its first row. */
    static Preset recognise(Path file, Fields fields) {
        Found first = read(file, true).getFirst();
        ObjectNode known = ((ObjectNode) first.json()).deepCopy();
        fields.names().forEach((field, name) -> put(known, field, Row.find(first.json(), name)));
        return Preset.fitting(known).orElseThrow(() -> {
            List<String> forms = new ArrayList<>();
            for (Preset preset : Preset.values()) {
                forms.add(preset.code() + " (" + String.join(", ", preset.needs()) + ")");
            }
            return new UserException(file + ": " + first.place() + " has the fields "
                    + Reason.cited(String.join(", ", first.json().propertyNames()))
                    + ", which fit none of the forms " + String.join(", ", forms)
                    + "; choose one by --task FORM=" + file + " and name its fields by --field FIELD=NAME");
        });
    }
}
