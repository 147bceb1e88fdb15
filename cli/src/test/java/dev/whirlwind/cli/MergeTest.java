package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Models between two. */
class MergeTest {
    @TempDir
    private static Path folder;

    private static Path base;
    private static Path tuned;

    @BeforeAll
    static void models() {
        base = Cli.model(folder.resolve("base"));
        tuned = folder.resolve("tuned");
        Cli.run("init", "--config", folder.resolve("tiny.json"), "--seed", 5, "--out", tuned)
                .succeeds();
        Cli.texts(folder.resolve("texts"));
    }

    private static float[] floats(Path model, String tensor) {
        try (SafetensorsFile file = SafetensorsFile.open(model.resolve("model.safetensors"));
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(4 * file.elements(tensor), 64);
            file.readFloats(tensor, memory, 0);
            return memory.toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    @Test
    void linear() {
        Path out = folder.resolve("linear");
        Cli.run("merge", "--base", base, "--tuned", tuned, "--weight", 0.7, "--out", out)
                .succeeds();
        for (String name : new String[] {"model.embed_tokens.weight", "model.layers.1.mlp.down_proj.weight"}) {
            float[] a = floats(base, name);
            float[] b = floats(tuned, name);
            float[] c = floats(out, name);
            assertThat(a).isNotEqualTo(b);
            for (int i = 0; i < c.length; i++) {
                assertThat(c[i]).isCloseTo((float) (0.3 * a[i] + 0.7 * b[i]), within(1e-7f));
            }
        }
        Cli.run("eval", "--model", out, "--data", folder.resolve("texts")).succeeds();
    }

    /** Halfway, two tensors count alike, and the result is as long as they are where these are of one length. */
    @Test
    void slerp() {
        Path out = folder.resolve("slerp");
        Cli.run("merge", "--base", base, "--tuned", tuned, "--weight", 0.25, "--method", "slerp", "--out", out)
                .succeeds();
        String name = "model.layers.0.self_attn.q_proj.weight";
        float[] a = floats(base, name);
        float[] b = floats(tuned, name);
        float[] c = floats(out, name);
        double angle = Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)));
        for (int i = 0; i < c.length; i++) {
            double expected = (Math.sin(0.75 * angle) * a[i] + Math.sin(0.25 * angle) * b[i]) / Math.sin(angle);
            assertThat(c[i]).isCloseTo((float) expected, within(1e-6f));
        }
        // Norms' weights are all ones, so parallel.
        assertThat(floats(out, "model.norm.weight")).containsOnly(1f);
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (double) a[i] * b[i];
        }
        return sum;
    }

    @Test
    void theEndsAreTheModels() throws IOException {
        for (String method : new String[] {"linear", "slerp"}) {
            for (int weight : new int[] {0, 1}) {
                Path out = folder.resolve(method + weight);
                Cli.run("merge", "--base", base, "--tuned", tuned, "--weight", weight, "--method", method, "--out", out)
                        .succeeds();
                Path same = weight == 0 ? base : tuned;
                assertThat(floats(out, "model.layers.0.mlp.up_proj.weight"))
                        .containsExactly(floats(same, "model.layers.0.mlp.up_proj.weight"), within(1e-8f));
            }
        }
        assertThat(Files.readAllBytes(folder.resolve("linear1/model.safetensors")))
                .isEqualTo(Files.readAllBytes(tuned.resolve("model.safetensors")));
    }

    @Test
    void aSweepMeasuresEachAsEvalDoes() {
        JsonNode sweep = Cli.run(
                        "merge",
                        "--base",
                        base,
                        "--tuned",
                        tuned,
                        "--sweep",
                        "0,0.5,1",
                        "--data",
                        "domain=" + folder.resolve("texts"),
                        "general=" + folder.resolve("texts/text-3.txt"),
                        "--report",
                        folder.resolve("sweep.html"),
                        "--json")
                .json();
        assertThat(sweep.get("results")).hasSize(6);
        JsonNode evaluated = Cli.run("eval", "--model", tuned, "--data", folder.resolve("texts/text-3.txt"), "--json")
                .json();
        JsonNode last = sweep.get("results").get(5);
        assertThat(last.get("data").asString()).isEqualTo("general");
        assertThat(last.get("weight").doubleValue()).isEqualTo(1);
        assertThat(last.get("mean_nll").doubleValue())
                .isCloseTo(evaluated.get("results").get(0).get("mean_nll").doubleValue(), within(1e-6));
        assertThat(folder.resolve("sweep.html"))
                .content()
                .contains(
                        "<title>Between two models</title>",
                        "bits per byte of general (upright) over domain",
                        ">0.5</span>");
        String table = Cli.run(
                        "merge",
                        "--base",
                        base,
                        "--tuned",
                        tuned,
                        "--sweep",
                        "0,1",
                        "--data",
                        "domain=" + folder.resolve("texts"),
                        "--report",
                        folder.resolve("sweep.html"))
                .succeeds()
                .out();
        assertThat(table.lines()).hasSize(3);
        assertThat(table).contains("domain: perplexity");
    }

    @Test
    void whatCannotBeMergedIsRefused() {
        Path other = folder.resolve("other");
        Path config = Cli.write(
                folder.resolve("other.json"),
                Cli.TINY.replace("\"intermediate_size\": 40", "\"intermediate_size\": 48"));
        Cli.run("init", "--config", config, "--out", other).succeeds();
        Cli.run("merge", "--base", base, "--tuned", other, "--weight", 0.5, "--out", folder.resolve("none"))
                .fails("not of one shape", "mlp.gate_proj.weight [40, 24]", "[48, 24]");
        Path theta = folder.resolve("theta");
        Path changed = Cli.write(folder.resolve("theta.json"), Cli.TINY.replace("10000.0", "20000.0"));
        Cli.run("init", "--config", changed, "--out", theta).succeeds();
        Cli.run("merge", "--base", base, "--tuned", theta, "--weight", 0.5, "--out", folder.resolve("none"))
                .fails("they differ in rotary positions");
        Cli.run("merge", "--base", base, "--tuned", tuned, "--weight", 1.5, "--out", folder.resolve("none"))
                .isWrongUsage("1.5", "from 0");
        Cli.run("merge", "--base", base, "--tuned", tuned, "--out", folder.resolve("none"))
                .isWrongUsage("--out only has an effect with --weight");
        Cli.run("merge", "--base", base, "--tuned", tuned, "--sweep", "0,1").isWrongUsage("--data");
        Cli.run("merge", "--base", base, "--tuned", tuned).isWrongUsage("--sweep");
        Cli.run("merge", "--base", base, "--tuned", tuned, "--weight", 1, "--out", "x", "--report", "y")
                .isWrongUsage("--report only has an effect with --sweep");
        Cli.run(
                        "merge",
                        "--base",
                        base,
                        "--tuned",
                        folder.resolve("gone"),
                        "--weight",
                        0.5,
                        "--out",
                        folder.resolve("none"))
                .fails("gone");
        assertThat(folder.resolve("none")).doesNotExist();
    }
}
