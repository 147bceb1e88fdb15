package dev.whirlwind.cli.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Cli;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class TrainTokenizerTest {
    @TempDir
    Path temp;

    private Path texts;
    private Path out;

    @BeforeEach
    void make() {
        texts = Cli.texts(temp.resolve("texts"));
        out = temp.resolve("tokenizer");
    }

    private Cli.Result train(Object... more) {
        Object[] args = new Object[6 + more.length];
        System.arraycopy(new Object[] {"tokenizer", "train", "--data", texts, "--out", out}, 0, args, 0, 6);
        System.arraycopy(more, 0, args, 6, more.length);
        return Cli.run(args);
    }

    @Test
    void aModelIsMadeAndTrainedWithIt() throws Exception {
        JsonNode result = train("--vocab", 290, "--json").succeeds().json();
        assertThat(result.path("vocabulary").intValue()).isEqualTo(290);
        assertThat(result.path("bytes_per_token").doubleValue()).isGreaterThan(2);

        Path model = temp.resolve("model");
        Cli.Result made = Cli.run("init", "--config", "llama-15m", "--tokenizer", out, "--out", model)
                .succeeds();
        assertThat(made.err()).contains("vocab_size 290", "eos_token_id 0");
        JsonNode config = JsonMapper.shared().readTree(Files.readAllBytes(model.resolve("config.json")));
        assertThat(config.path("vocab_size").intValue()).isEqualTo(290);

        Cli.Result prepared = Cli.run("prepare", "--model", model, "--data", texts, "--out", temp.resolve("tokens"))
                .succeeds();
        assertThat(prepared.err()).contains("<|endoftext|> (0)");
    }

    @Test
    void aPresetsEndOfTextIsNotTakenForTheTokenizers() {
        train("--vocab", 290, "--special", "<pad>", "--special", "<end>").succeeds();
        Path config = Cli.write(temp.resolve("config.json"), Cli.TINY.replace("256", "512"));
        Path model = temp.resolve("model");
        assertThat(Cli.run("init", "--config", config, "--tokenizer", out, "--out", model)
                        .succeeds()
                        .err())
                .contains("eos_token_id 0")
                .doesNotContain("vocab_size");
    }

    @Test
    void theSameTextAlwaysGivesTheSameFiles() throws Exception {
        train("--words", "qwen2").succeeds();
        Path again = temp.resolve("again");
        Cli.run("tokenizer", "train", "--data", texts, "--words", "qwen2", "--out", again)
                .succeeds();
        assertThat(again.resolve("tokenizer.json")).hasSameBinaryContentAs(out.resolve("tokenizer.json"));
    }

    @Test
    void saysWhatTheTextDoesNotGive() {
        assertThat(train("--vocab", 5000).succeeds().err()).contains("no more than", "2 times", "smaller --vocab");
    }

    @Test
    void whatCannotBe() throws Exception {
        train("--vocab", 256).isWrongUsage("--vocab 256", "257");
        train("--vocab", 258, "--special", "<a>", "--special", "<b>", "--special", "<c>")
                .isWrongUsage("259");
        train("--special", "<a>", "--special", "<a>").isWrongUsage("--special", "twice");
        train("--special", "").isWrongUsage("--special", "empty");
        train("--min-frequency", -1).isWrongUsage("--min-frequency -1");
        train("--limit", 0).isWrongUsage("--limit 0");
        train("--words", "word").isWrongUsage("--words");
        assertThat(out).doesNotExist();

        Path empty = Files.createDirectory(temp.resolve("empty"));
        Cli.run("tokenizer", "train", "--data", empty, "--out", out).fails(empty.toString(), "holds no text");
        Path missing = temp.resolve("missing");
        Cli.run("tokenizer", "train", "--data", missing, "--out", out).fails(missing.toString());
        Cli.write(out.resolve("mine.txt"), "x");
        train().fails(out.toString(), "is not empty");
        assertThat(out.resolve("mine.txt")).hasContent("x");
    }

    @Test
    void aCommandOfCommandsAsksForOne() {
        Cli.run("tokenizer").isWrongUsage("give a command", "train");
        Cli.run("tokenizer", "trian").isWrongUsage("train");
        assertThat(Cli.run("tokenizer", "train", "-h").succeeds().out()).contains("--min-frequency");
        assertThat(Cli.run("tokenizer", "--help").succeeds().out()).contains("train");
    }
}
