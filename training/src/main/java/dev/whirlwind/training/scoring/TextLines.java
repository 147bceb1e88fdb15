package dev.whirlwind.training.scoring;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Files of texts, one a line, as sacreBLEU reads them: UTF-8, lines end with LF or CR LF and with nothing else (not with
 * U+2028, form feeds or a single CR), a byte order mark belongs to the first word, white space at their ends is dropped, {@code .gz} is unpacked. In a {@code .jsonl}
 * file a line is a JSON string, or an array of strings where a text has several references or none; so texts may be longer
 * than a line.
 */
public final class TextLines {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private TextLines() {}

    /** One text a line. */
    public static List<String> hypotheses(Path file) {
        List<List<String>> lines = lines(file);
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).size() != 1) {
                throw new UserException(file + ": line " + (i + 1) + " holds "
                        + lines.get(i).size() + " texts; a line of hypotheses must be one string");
            }
            texts.add(lines.get(i).getFirst());
        }
        return texts;
    }

    /**
     * The references of each text: line i of every file.
     *
     * @param texts how many there must be
     */
    public static List<List<String>> references(List<Path> files, Path hypotheses, int texts) {
        List<List<String>> references = new ArrayList<>();
        for (int i = 0; i < texts; i++) {
            references.add(new ArrayList<>());
        }
        for (Path file : files) {
            List<List<String>> lines = lines(file);
            if (lines.size() != texts) {
                throw new UserException(file
                        + ": has %,d lines, but %s has %,d; line i of one must belong to line i of the"
                                .formatted(lines.size(), hypotheses, texts)
                        + " other");
            }
            for (int i = 0; i < texts; i++) {
                references.get(i).addAll(lines.get(i));
            }
        }
        for (int i = 0; i < texts; i++) {
            if (references.get(i).isEmpty()) {
                throw new UserException(files.getFirst() + ": line " + (i + 1)
                        + " has no reference; add one, or leave the line out here and in " + hypotheses);
            }
        }
        return references;
    }

    private static List<List<String>> lines(Path file) {
        boolean json = name(file).endsWith(".jsonl");
        String text = json ? readUnmarked(file) : read(file);
        List<List<String>> lines = new ArrayList<>();
        for (int start = 0; start < text.length(); ) {
            int end = text.indexOf('\n', start);
            end = end < 0 ? text.length() : end;
            String line = PythonText.stripTrailing(text.substring(start, end));
            lines.add(json ? row(file, lines.size() + 1, line) : List.of(line));
            start = end + 1;
        }
        if (lines.isEmpty()) {
            throw new UserException(file + ": is empty; give a text a line");
        }
        return lines;
    }

    private static List<String> row(Path file, int number, String line) {
        String place = file + ": line " + number;
        try {
            JsonNode row = JSON.readTree(line);
            List<String> texts = new ArrayList<>();
            for (JsonNode text : row.isArray() ? row : List.of(row)) {
                if (!text.isString()) {
                    throw new UserException(
                            place + " is not a string, or an array of strings, as in \"a text\"; mend it");
                }
                texts.add(text.stringValue());
            }
            return texts;
        } catch (JacksonException e) {
            throw new UserException(place + " is not valid JSON (" + Reason.withoutPlace(e) + "); mend it", e);
        }
    }

    /** A file's text, without the mark that some editors put before it. */
    public static String readUnmarked(Path file) {
        String text = read(file);
        return text.startsWith("\ufeff") ? text.substring(1) : text;
    }

    private static String read(Path file) {
        try (InputStream in = open(file)) {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(in.readAllBytes()))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new UserException(file + ": is not UTF-8; convert it, with iconv for example", e);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    private static InputStream open(Path file) throws IOException {
        if (Files.isDirectory(file)) {
            throw new UserException(file + ": is a folder; give one of its files");
        }
        InputStream in = Files.newInputStream(file);
        return file.toString().endsWith(".gz") ? new GZIPInputStream(in) : in;
    }

    private static String name(Path file) {
        String name = file.toString();
        return name.endsWith(".gz") ? name.substring(0, name.length() - 3) : name;
    }
}
