package dev.whirlwind.data.sources;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.model.UserException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is read as rows of JSON, what is not, and what a bad row costs. */
class RowsTest {
    private static final String LINES = """
            {"text": "one", "url": "a"}
            {"url": "b", "text": "two"}
            """;
    private static final String ARRAY = "[{\"text\": \"one\"}, {\"id\": [1, {\"a\": \"]}\\\"\"}], \"text\": \"two\"}]";
    private static final String PRETTY = """
            {
              "text": "one"
            }
            {
              "text": "two"
            }
            """;

    @TempDir
    Path folder;

    private Path write(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    private Collected read(String name, String text) throws IOException {
        return Collected.of(Corpus.of(List.of(write(name, text))));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"a.json", "a.ndjson", "a.JSONL", "a.jsonl", "a.jsonlines", "a.txt", "part-00000", "a.Json.GZ"})
    void rowsAreRowsUnderAnyName(String name) throws IOException {
        for (String text : List.of(LINES, ARRAY, PRETTY, "\uFEFF" + LINES, "\n \t" + ARRAY + "\n", LINES.strip())) {
            Path file = folder.resolve(name);
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (OutputStream out = name.endsWith("GZ") ? new GZIPOutputStream(bytes) : bytes) {
                out.write(text.getBytes(StandardCharsets.UTF_8));
            }
            Files.write(file, bytes.toByteArray());
            Collected collected = Collected.of(Corpus.of(List.of(folder)));
            assertThat(collected.documents.values()).as(text).containsExactly("one", "two");
            assertThat(collected.kinds).containsEntry(name, Kind.ROWS);
        }
    }

    /** As source trees hold it. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"name\": \"x\", \"version\": \"1.0\"}",
                "{\n  \"name\": \"x\",\n  \"scripts\": {\"text\": \"jest\"}\n}\n",
                "{\n  \"text\": \"#fff\",\n  \"background\": \"#000\"\n}\n",
                "{\"text\": 5}",
                "{\"text\": null}",
                "[1, 2, 3]",
                "[\"text\", \"more\"]",
                "[{\"id\": 1}, {\"id\": 2}]",
                "[{\"text\": \"Guide\"}, {\"items\": []}]",
                "[]",
                "{}",
                "{'text': 'a Python dict'}\nx = 1\n",
                "{\"text\": \"a sample\"}\nand then prose\n",
                "{% include x %}",
                "[a link](to/somewhere)",
                "[{\"text\": \"a sample\"}]\nand then prose\n",
                "// a comment\n{\"text\": \"a\"}",
                "{\"event\": 1}\n{\"event\": 2}\n",
                "{\"text\": \"never closed",
                "[{\"text\": \"never closed",
            })
    void whatIsNotRowsStaysText(String text) throws IOException {
        Collected collected = read("a.json", text);
        assertThat(collected.documents).containsOnlyKeys("a.json").containsValue(text);
    }

    @Test
    void whatMayHaveBeenMeantAsRowsIsTold() throws IOException {
        assertThat(read("a.json", "{\"content\": \"a\"}\n{\"content\": \"b\"}\n")
                        .findings
                        .lines("x"))
                .containsExactly("x: read 1 JSON file that is no rows with a text, as plain text (a.json)");
        assertThat(read("b.json", "{\n\"text\": \"a long article\"\n}").kinds).containsEntry("b.json", Kind.OTHER_JSON);
        assertThat(read("c.json", "{\"text\": \"a\"},\n{\"text\": \"b\"},\n").kinds)
                .containsEntry("c.json", Kind.OTHER_JSON);
        assertThat(read("package.json", "{\n\"name\": \"x\"\n}").kinds).containsEntry("package.json", Kind.TEXT);
    }

    @Test
    void aBadByteCostsItsRowOnly() throws IOException {
        for (boolean array : new boolean[] {false, true}) {
            byte[] bytes = (array
                            ? "[{\"text\": \"good\"},\n{\"text\": \"b?d\"},\n{\"text\": \"g\u00f6\u00f6d\"}]"
                            : "{\"text\": \"good\"}\n{\"text\": \"b?d\"}\n{\"text\": \"g\u00f6\u00f6d\"}")
                    .getBytes(StandardCharsets.UTF_8);
            int place = new String(bytes, StandardCharsets.UTF_8).indexOf('?');
            bytes[place] = (byte) 0xFF;
            Path file = Files.write(folder.resolve(array ? "a.json" : "a.jsonl"), bytes);
            Collected collected = Collected.of(Corpus.of(List.of(file)));
            assertThat(collected.documents.values()).containsExactly("good", "gööd");
            assertThat(collected.skipped).containsEntry(file + ":2", "not UTF-8 at byte " + place);
            bytes[place] = 0;
            Files.write(file, bytes);
            assertThat(Collected.of(Corpus.of(List.of(file))).skipped)
                    .containsEntry(file + ":2", "NUL at byte " + place);
        }
    }

    /** Each as some other program writes it. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"text\": \"x\", \"score\": NaN, \"low\": -Infinity, \"high\": Infinity}",
                "{\"text\": \"first\", \"text\": \"x\"}",
                "{\"\\u0074ext\": \"\\u0078\"}",
                "{\"text\": \"x\"}\r",
                "\uFEFF{\"text\": \"x\"}",
                "  {\"text\":\t\"x\"} ",
                "{\"a\": null, \"b\": [], \"text\": \"x\", \"c\": {\"text\": \"no\"}}",
            })
    void unusualRowsAreRead(String row) throws IOException {
        String other = "{\"text\": \"other\"}";
        Collected collected = read("a.jsonl", other + "\n" + row + "\n" + other);
        assertThat(collected.documents.values()).containsExactly("other", "x", "other");
    }

    @Test
    void sizesInsideARowHaveNoLimitOfTheirOwn() throws IOException {
        String row = "{\"%s\": 1, \"number\": %s, \"nested\": %s%s, \"text\": \"x\"}"
                .formatted("k".repeat(60_000), "1".repeat(5_000), "[".repeat(5_000), "]".repeat(5_000));
        assertThat(read("a.jsonl", row).documents).containsOnly(java.util.Map.entry("a.jsonl:1", "x"));
        StringBuilder many = new StringBuilder("{");
        for (int i = 0; i < 100_000; i++) {
            many.append("\"key").append(i).append("\": ").append(i).append(", ");
        }
        assertThat(read("b.jsonl", many + "\"text\": \"x\"}").documents).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"text\": {\"a\": {}}}; no string field \"text\" (its fields: text (an object))",
                "{\"text\": 1e999}; (its fields: text (a number))",
                "{\"content\": \"a\", \"id\": 1}; (its fields: content, id)",
                "{}; (it has no fields)",
                "\"text\"; (it is no object)",
                "{\"text\": \"a\"} {\"text\": \"b\"}; broken JSON at column",
                "{\"text\": \"a\"; broken JSON at column",
                "{\"text\": nan}; broken JSON at column",
                "{\"text\": [}; Unexpected close marker '}': expected ']': mend",
                "{\"text\": \"\\x\"}; broken JSON at column",
            })
    void wrongRowsOfAJsonlAreErrors(String rowAndMessage) throws IOException {
        String[] parts = rowAndMessage.split("; ", 2);
        assertThatThrownBy(() -> read("a.jsonl", "{\"text\": \"a\"}\n" + parts[0] + "\n"))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith(folder.resolve("a.jsonl") + ":2: ")
                .hasMessageContaining(parts[1])
                .message()
                .doesNotContain("\n", "Feature", "Constraints", "VALUE_", "`", "Source");
    }

    @Test
    void nestingWithoutEndIsRefusedInWords() throws IOException {
        assertThatThrownBy(() -> read("a.jsonl", "{\"text\": \"a\", \"b\": " + "[".repeat(200_000)))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("a.jsonl:1: nested deeper than 100000 levels");
    }

    @Test
    void aRowBeyondTheLongestIsRefused() throws IOException {
        Path file = folder.resolve("a.jsonl");
        try (OutputStream out = Files.newOutputStream(file)) {
            out.write("{\"text\": \"a\"}\n{\"text\": \"".getBytes(StandardCharsets.UTF_8));
            byte[] chunk = "x".repeat(1 << 20).getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < 65; i++) {
                out.write(chunk);
            }
        }
        assertThatThrownBy(() -> Collected.of(Corpus.of(List.of(file))))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("a.jsonl:2: the row has more than 64 MiB");
    }

    @Test
    void aCutArrayIsAnErrorAndNotText() throws IOException {
        assertThatThrownBy(() -> read("a.json", ARRAY.substring(0, ARRAY.length() - 5)))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("a.json:2: the file ends amid this row");
        assertThatThrownBy(() -> read("a.json", ARRAY.substring(0, ARRAY.length() - 1)))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("the file ends amid");
        assertThatThrownBy(() -> read("a.json", LINES.substring(0, LINES.length() - 5)))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("a.json:2: broken JSON");
    }

    /** Rows that end at any place of the buffer that they are read into. */
    @Test
    void rowsAreCutAtAnyPlace() throws IOException {
        for (int length = (1 << 16) - 20; length < (1 << 16) + 3; length++) {
            String text = "x".repeat(length);
            for (String rows : new String[] {
                "{\"text\": \"" + text + "\"}\r\n{\"text\": \"z\\\\\"}",
                "[{\"text\": \"" + text + "\"},{\"text\": \"z\\\\\"}]"
            }) {
                assertThat(read("a.json", rows).documents.values()).containsExactly(text, "z\\");
            }
        }
    }

    @Test
    void whiteSpaceWithoutEndIsNotLookedThrough() throws IOException {
        assertThat(read("a.json", " ".repeat(3 << 20) + LINES).documents).hasSize(1);
        assertThat(read("b.json", "{\"text\": \"a\"}\n" + " \n".repeat(3 << 20) + "{\"text\": \"b\"}\n").documents)
                .hasSize(2);
    }
}
