package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** A Java that was started without the incubating Vector API still computes, and says what it lost. */
class NoVectorsTest {
    @TempDir
    private Path temp;

    private record Ended(int code, String out, String err) {}

    private Ended run(Object... args) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
        for (Object arg : args) {
            command.add(arg.toString());
        }
        Path out = temp.resolve("out.txt");
        Path err = temp.resolve("err.txt");
        int code = new ProcessBuilder(command)
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start()
                .waitFor();
        return new Ended(code, Files.readString(out), Files.readString(err));
    }

    @Test
    void autoTakesScalarLoops() throws Exception {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Ended ended = run("eval", "--model", model, "--data", texts, "--json");
        assertThat(ended.code).as(ended.err).isZero();
        assertThat(ended.err).contains("engine loops", "without the Vector API");
        Cli.Result vectors = Cli.run("eval", "--model", model, "--data", texts, "--engine", "cpu", "--json")
                .succeeds();
        assertThat(nll(ended.out)).isCloseTo(nll(vectors.out()), within(1e-5));
    }

    private static double nll(String json) {
        return JsonMapper.shared()
                .readTree(json)
                .path("results")
                .path(0)
                .path("mean_nll")
                .doubleValue();
    }

    @Test
    void theCpuEngineSaysWhatItNeeds() throws Exception {
        Ended ended = run("bench", "--model", "byte-tiny", "--engine", "cpu");
        assertThat(ended.code).isEqualTo(1);
        assertThat(ended.err).contains("Vector API", "--add-modules jdk.incubator.vector");
    }
}
