package dev.whirlwind.data.sources;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.model.UserException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JdkCorpusTest {
    private static final String SOURCE = """
            /*
             * Copyright (c) Somebody. All rights reserved.
             */
            package p; // the package

            /** A thing with {@code a<b>} and <i>style</i>; see {@link String#length() its length}.
             *
             * <p>Another   paragraph &mdash; of
             * two lines, with {@link java.base/java.util.List} in it .
             * <pre>{@code
             *   @Override int sample() { return "}"; }
             * }</pre>
             * <ul><li>A point that is made here</ul>
             *
             * @param <T> the kind of all these things
             * @since 1.0
             * @see Other of the same kind
             */
            class A<T> {
                String url = "http://x/*y*/"; /* in */ int n = 1 /* between */ + 2;
                char quote = '"', escaped = '\\''; // "
                String block = \"""
                    // no comment


                    /* nor this */ \\\""" "
                    \""";

                /**/ /***/

                /** {@return the number of things found so far} Nothing to add to that.
                 * @return The number of things that were found, or -1
                 * @throws Oops if it does not go well at all
                 */
                int f() { return n / 2; }
                // last line of all
            }
            """;

    @TempDir
    Path folder;

    @Test
    void codeLosesItsCommentsAndNothingElse() {
        assertThat(JavaSource.split(SOURCE, new ArrayList<>())).isEqualTo("""
                package p;

                class A<T> {
                    String url = "http://x/*y*/"; int n = 1 + 2;
                    char quote = '"', escaped = '\\'';
                    String block = \"""
                        // no comment


                        /* nor this */ \\\""" "
                        \""";

                    int f() { return n / 2; }
                }
                """);
    }

    @Test
    void proseLosesItsMarkup() {
        List<String> comments = new ArrayList<>();
        JavaSource.split(SOURCE, comments);
        List<String> prose =
                comments.stream().flatMap(c -> Javadoc.paragraphs(c).stream()).toList();
        assertThat(prose)
                .containsExactly(
                        "A thing with a<b> and style; see its length.",
                        "Another paragraph — of two lines, with java.util.List in it.",
                        "A point that is made here",
                        "The kind of all these things",
                        "Returns the number of things found so far. Nothing to add to that.",
                        "Returns the number of things that were found, or -1",
                        "Throws Oops if it does not go well at all");
    }

    @Test
    void brokenSourceEnds() {
        for (int length = 0; length <= SOURCE.length(); length++) {
            List<String> comments = new ArrayList<>();
            assertThat(JavaSource.split(SOURCE.substring(0, length), comments)).hasSizeLessThanOrEqualTo(length);
            comments.forEach(Javadoc::paragraphs);
        }
        for (String text :
                List.of("{@", "{@code", "{@code a{b", "{@link}", "{@link #}", "&#xFFFFFF;", "@param", "@", "<p")) {
            assertThat(Javadoc.paragraphs(text)).isEmpty();
        }
    }

    @Test
    void thisMachinesJdkGivesTwoCorporaThatShareNoFile() {
        Path sources = sources();
        Collected prose = Collected.of(JdkCorpus.prose(sources, 400_000));
        Collected code = Collected.of(JdkCorpus.code(sources, 400_000));
        assertThat(prose.documents.keySet()).doesNotContainAnyElementsOf(code.documents.keySet());
        for (Collected corpus : List.of(prose, code)) {
            long bytes = corpus.documents.values().stream()
                    .mapToLong(Text::utf8Length)
                    .sum();
            assertThat(bytes).isBetween(400_000L, 900_000L);
            assertThat(corpus.order).hasSizeGreaterThan(20);
        }
        String sentences = String.join("", prose.documents.values());
        assertThat(count(sentences, "{@")).isLessThan(3);
        assertThat(count(sentences, " the ")).isGreaterThan(2000);
        assertThat(count(sentences, "<p>")).isZero();
        assertThat(code.documents.values())
                .allSatisfy(text -> assertThat(text.lines().map(String::strip))
                        .noneMatch(line -> line.startsWith("//") || line.startsWith("/*")));
        assertThat(Collected.of(JdkCorpus.prose(sources, 400_000)).documents).isEqualTo(prose.documents);
    }

    private static Path sources() {
        try {
            return JdkCorpus.findSources();
        } catch (UserException e) {
            return abort(e.getMessage());
        }
    }

    private static int count(String text, String part) {
        return text.split(Pattern.quote(part), -1).length - 1;
    }

    @Test
    void onlyTheBaseModulesJavaFilesCount() throws Exception {
        Path zip = folder.resolve("src.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
            for (int i = 0; i < 40; i++) {
                for (String name : List.of("java.base/p/A" + i + ".java", "java.desktop/p/B" + i + ".java")) {
                    out.putNextEntry(new ZipEntry(name));
                    out.write(SOURCE.getBytes(StandardCharsets.UTF_8));
                }
            }
            out.putNextEntry(new ZipEntry("java.base/module-info.java"));
            out.write(SOURCE.getBytes(StandardCharsets.UTF_8));
        }
        List<String> names = new ArrayList<>(Collected.of(JdkCorpus.prose(zip, Long.MAX_VALUE)).order);
        assertThat(names).hasSizeBetween(5, 35);
        names.addAll(Collected.of(JdkCorpus.code(zip, Long.MAX_VALUE)).order);
        assertThat(names)
                .hasSize(40)
                .allMatch(name -> name.startsWith("java.base/p/A"))
                .doesNotHaveDuplicates();

        Files.write(zip, new byte[50]);
        assertThatThrownBy(() -> Collected.of(JdkCorpus.code(zip, 1)))
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith("cannot read " + zip);
    }
}
