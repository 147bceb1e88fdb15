package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Runs commands in this process, and makes the small things that they need. */
public final class Cli {
    /** Reads bytes; about 9,000 parameters. */
    public static final String TINY = """
            {"model_type": "llama", "vocab_size": 256, "hidden_size": 24, "intermediate_size": 40,
             "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32,
             "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true, "eos_token_id": 255}
            """;

    public record Result(int code, String out, String err) {
        public Result succeeds() {
            assertThat(code).as(err).isZero();
            return this;
        }

        /** Exit code 1 and exactly one line, which says all of these. */
        public void fails(String... says) {
            failsWith(1, says);
        }

        /** The same with exit code 2. */
        public void isWrongUsage(String... says) {
            failsWith(2, says);
        }

        private void failsWith(int expected, String... says) {
            assertThat(err.lines()).as(err).hasSize(1);
            assertThat(err).startsWith("whirlwind: ").doesNotContain("unexpected");
            assertThat(List.of(says)).allSatisfy(word -> assertThat(err).contains(word));
            assertThat(out).isEmpty();
            assertThat(code).as(err).isEqualTo(expected);
        }

        public JsonNode json() {
            assertThat(out.lines()).hasSize(1);
            return JsonMapper.shared().readTree(out);
        }
    }

    private Cli() {}

    public static Result run(Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        String[] strings = new String[args.length];
        for (int i = 0; i < args.length; i++) {
            strings[i] = args[i].toString();
        }
        int code = Main.run(strings, new PrintWriter(out, true), new PrintWriter(err, true));
        return new Result(code, out.toString(), err.toString());
    }

    /** A tiny model of bytes with random weights. */
    public static Path model(Path folder) {
        Path config = write(folder.resolveSibling("tiny.json"), TINY);
        run("init", "--config", config, "--out", folder).succeeds();
        return folder;
    }

    /** A folder of ten little texts. */
    public static Path texts(Path folder) {
        for (int i = 0; i < 10; i++) {
            StringBuilder text = new StringBuilder();
            for (int j = 0; j < 40; j++) {
                text.append("Line ")
                        .append(j * (i + 1))
                        .append(" of text ")
                        .append(i)
                        .append(".\n");
            }
            write(folder.resolve("text-" + i + ".txt"), text.toString());
        }
        return folder;
    }

    public static Path write(Path file, String text) {
        try {
            Files.createDirectories(file.getParent());
            return Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
