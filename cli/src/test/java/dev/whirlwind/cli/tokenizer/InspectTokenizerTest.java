package dev.whirlwind.cli.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Cli;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.data.tokenizers.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class InspectTokenizerTest {
    private static final Path TOKENIZERS = Path.of("../data/src/test/resources/tokenizers");

    @TempDir
    Path temp;

    @Test
    void countsTokensAndWhatIsNeverUsed() {
        Path model = Cli.model(temp.resolve("model"));
        Path text = Cli.write(temp.resolve("text.txt"), "abcabc\n");
        JsonNode json = Cli.run("tokenizer", "inspect", "--model", model, "--data", text, "--json")
                .succeeds()
                .json();
        JsonNode data = json.path("data");
        assertThat(json.path("vocabulary").intValue()).isEqualTo(256);
        assertThat(json.path("special").path(0).path("id").intValue()).isEqualTo(255);
        assertThat(data.path("tokens").intValue()).isEqualTo(7);
        assertThat(data.path("used").intValue()).isEqualTo(4);
        assertThat(data.path("never_used_share").doubleValue()).isEqualTo(252 / 256.0);
        assertThat(data.path("bytes_per_token").doubleValue()).isEqualTo(1);
    }

    @Test
    void unknownTokensAreCounted() {
        Path text = Cli.write(temp.resolve("text.txt"), "a \u65E5 b");
        JsonNode json = Cli.run(
                        "tokenizer",
                        "inspect",
                        "--tokenizer",
                        "../data/src/test/resources/sentencepiece/unigram",
                        "--data",
                        text,
                        "--json")
                .succeeds()
                .json();
        assertThat(json.path("data").path("unknown").intValue()).isEqualTo(1);
    }

    @Test
    void aTextIsCut() {
        Path gpt2 = TOKENIZERS.resolve("gpt2");
        Tokenizer tokenizer = Tokenizer.load(gpt2);
        String text = "The  caf\u00E9\n\t\u65E5!";
        Cut cut = Cut.of(tokenizer, text);
        assertThat(cut.pieces().stream().mapToInt(Cut.Piece::id).toArray()).isEqualTo(tokenizer.encode(text));
        String shown = cut.shown(false);
        assertThat(shown.replace("|", ""))
                .startsWith("The\u00B7\u00B7caf")
                .contains("\u21B5\n\u2192")
                .endsWith("!");
        assertThat(Cli.run("tokenizer", "inspect", "--tokenizer", gpt2, "--text", text)
                        .succeeds()
                        .out())
                .contains(shown, "%,d tokens".formatted(cut.pieces().size()), "<|endoftext|>")
                .doesNotContain("\u001B");
    }

    @Test
    void whatIsNoCharacterAndWhatMovesTheCursorIsWrittenOut() {
        assertThat(Cut.of(new ByteTokenizer(), "\u00E9\u001B[2J").shown(false)).isEqualTo("\\xC3|\\xA9|\\x1B|[|2|J");
        assertThat(Cut.of(new ByteTokenizer(), "a<|endoftext|>b").shown(false)).isEqualTo("a|<|endoftext|>|b");
    }

    @Test
    void coloursEndBeforeALinesEnd() {
        Cut cut = new Cut(List.of(new Cut.Piece(1, "a\n"), new Cut.Piece(2, "b")));
        assertThat(cut.shown(true))
                .isEqualTo("\u001B[30;48;5;153ma\u21B5\u001B[0m\n\u001B[30;48;5;153m\u001B[0m"
                        + "\u001B[30;48;5;186mb\u001B[0m");
    }

    @Test
    void whatCannotBe() throws Exception {
        Path empty = Files.createDirectory(temp.resolve("empty"));
        Path model = Cli.model(temp.resolve("model"));
        Cli.run("tokenizer", "inspect", "--model", empty).fails(empty.toString(), "tokenizer.json");
        Cli.run("tokenizer", "inspect", "--model", model, "--data", empty).fails(empty.toString(), "holds no text");
        Cli.run("tokenizer", "inspect").isWrongUsage("--tokenizer");
    }
}
