package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code score}: its values are checked in the training module, here how files and options are read. */
class ScoreTest {
    @TempDir
    Path temp;

    private Path file(String name, String content) {
        return Cli.write(temp.resolve(name), content);
    }

    @Test
    void scoresAsJson() {
        Path texts = file("h.txt", "The cat sat on the mat.\nThere is a dog in the garden.\n");
        Path references = file("r.txt", "The cat is sitting on the mat.\r\nA dog is in the garden.");
        JsonNode scores = Cli.run(
                        "score",
                        "--hypotheses",
                        texts,
                        "--references",
                        references,
                        "--metric",
                        "bleu,chrf,chrf++,rougeL,f1,exact-match",
                        "--json")
                .succeeds()
                .json()
                .get("scores");
        assertThat(scores.valueStream().map(s -> s.get("metric").asString()))
                .containsExactly("bleu", "chrf", "chrf++", "rouge-l", "f1", "exact-match");
        assertThat(scores.get(0).get("score").asDouble()).isCloseTo(43.194143500600994, within(1e-9));
        assertThat(scores.get(0).get("signature").asString())
                .isEqualTo("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0");
    }

    /** Python's {@code splitlines} would cut here, and so would Java's regular expressions; sacreBLEU does not. */
    @Test
    void onlyLineFeedsEndLines() {
        String odd = "a b\u2028c d\u0085e\u000bf\u000cg\rh\n\nx\n";
        Path texts = file("h.txt", odd);
        JsonNode bleu = Cli.run("score", "--hypotheses", texts, "--references", texts, texts, "--sentences", "--json")
                .succeeds()
                .json()
                .get("scores")
                .get(0);
        assertThat(bleu.get("sentences")).hasSize(3);
        assertThat(bleu.get("score").asDouble()).isCloseTo(100, within(1e-9));
        assertThat(bleu.get("signature").asString()).startsWith("nrefs:2|");
    }

    @Test
    void rowsOfJsonMayHaveLinesAndSeveralReferences() {
        Path texts = file("h.jsonl", "\"a b\\nc d\"\n\"x\"\n");
        Path references = file("r.jsonl", "\"c d\\na b\"\n[\"y\", \"x\"]\n");
        JsonNode scores = Cli.run(
                        "score",
                        "--hypotheses",
                        texts,
                        "--references",
                        references,
                        "--metric",
                        "rouge-lsum,exact-match",
                        "--json")
                .succeeds()
                .json()
                .get("scores");
        assertThat(scores.get(0).get("score").asDouble()).isEqualTo(1);
        assertThat(scores.get(1).get("score").asDouble()).isEqualTo(0.5);
        assertThat(scores.get(1).get("signature").asString()).startsWith("nrefs:var|");
    }

    @Test
    void printsATable() {
        Path texts = file("h.txt", "x\n");
        assertThat(Cli.run("score", "--hypotheses", texts, "--references", texts, "--metric", "f1", "--sentences")
                        .succeeds()
                        .out())
                .contains("metric", "f1", "1.0000", "norm:squad-1.1");
    }

    @Test
    void figuresAreEnglishInEveryLocale() throws IOException, InterruptedException {
        Path texts = file("h.txt", "x\n");
        Path out = temp.resolve("out.txt");
        Process process = Child.start(
                Child.program(
                        List.of("-Duser.language=de", "-Duser.country=DE"),
                        "score",
                        "--hypotheses",
                        texts,
                        "--references",
                        texts,
                        "--metric",
                        "f1"),
                out);
        assertThat(process.waitFor()).isZero();
        assertThat(out).content().contains("1.0000");
    }

    @Test
    void badFilesAndOptions() {
        Path one = file("one.txt", "a\n");
        Path two = file("two.txt", "a\nb\n");
        Path empty = file("empty.txt", "");
        score(one, two).fails("two.txt", "2 lines", "one.txt has 1");
        score(one, empty).fails("empty.txt", "is empty", "a text a line");
        score(empty, one).fails("empty.txt", "is empty");
        score(one, temp.resolve("missing.txt")).fails("missing.txt", "no such file");
        score(one, temp).fails(temp.toString(), "is a folder");
        score(one, file("none.jsonl", "[]\n")).fails("none.jsonl", "line 1 has no reference");
        score(one, file("bad.jsonl", "{\"a\": 1}\n")).fails("bad.jsonl", "line 1", "string");
        score(one, file("broken.jsonl", "\"a\n")).fails("broken.jsonl", "line 1", "not valid JSON");
        score(file("several.jsonl", "[\"a\", \"b\"]\n"), one).fails("several.jsonl", "line 1 holds 2 texts");
        score(one, one, "--metric", "blue").isWrongUsage("blue", "did you mean bleu?");
        score(one, one, "--metric", "meteor").isWrongUsage("meteor", "choose among", "rouge-l");
        score(one, one, "--tokenize", "ja-mecab").isWrongUsage("ja-mecab", "13a, intl, char, zh, none");
        score(one, one, "--smooth-value", "1").isWrongUsage("--smooth-value", "floor and add-k");
        score(one, one, "--chrf-beta", "0").isWrongUsage("--chrf-beta");
    }

    private static Cli.Result score(Path texts, Path references, Object... more) {
        Object[] args = new Object[5 + more.length];
        System.arraycopy(new Object[] {"score", "--hypotheses", texts, "--references", references}, 0, args, 0, 5);
        System.arraycopy(more, 0, args, 5, more.length);
        return Cli.run(args);
    }
}
