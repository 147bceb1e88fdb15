package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.whirlwind.cli.Child;
import dev.whirlwind.cli.Cli;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.model.files.WatchedDisk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A disk that is full, at every call that writes, and file systems of a few pages: one line, exit code 1, and nothing under
 * a final name that is not whole. A folder without a network is enough for everything.
 */
class FullDiskTest {
    /** Kilobytes; {@code -Dwhirlwind.disk.sizes=4,8,12} tries others. */
    private static final List<String> SIZES =
            List.of(System.getProperty("whirlwind.disk.sizes", "4,12").split(",", -1));

    /** Mounts a file system of $2 kilobytes at $1, runs the rest there, and then lists the files that are left. */
    private static final String IN_A_SMALL_DISK =
            "mount -t tmpfs -o size=$2k tmpfs \"$1\" || exit 99; disk=$1; shift 2;"
                    + " \"$@\"; code=$?; echo LEFT; find \"$disk\" -type f; exit $code";

    @TempDir
    Path temp;

    private record Ended(int code, String output) {}

    private Ended run(List<String> command) throws IOException, InterruptedException {
        Path output = temp.resolve("output.txt");
        int code = Child.start(command, output).waitFor();
        return new Ended(code, Files.readString(output));
    }

    /** Whether the system lets anybody have file systems and networks of their own, as most Linuxes do. */
    private void assumeNamespaces(String flags) throws IOException, InterruptedException {
        boolean permitted;
        try {
            permitted = run(List.of("unshare", flags, "true")).code == 0;
        } catch (IOException e) {
            permitted = false;
        }
        assumeTrue(permitted, "unshare " + flags + " is not permitted here");
    }

    private Ended onASmallDisk(Path disk, String kilobytes, List<String> command) throws Exception {
        Files.createDirectories(disk);
        List<String> all = new ArrayList<>(
                List.of("unshare", "-Urm", "sh", "-c", IN_A_SMALL_DISK, "sh", disk.toString(), kilobytes));
        all.addAll(command);
        return run(all);
    }

    @Test
    void smallDisks() throws Exception {
        assumeNamespaces("-Urm");
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path disk = temp.resolve("disk");
        Path out = disk.resolve("out");
        Path config = temp.resolve("tiny.json");
        for (String size : SIZES) {
            for (List<String> command : List.of(
                    Child.program(List.of(), "init", "--config", config, "--out", out),
                    Child.program(List.of(), "prepare", "--model", model, "--data", texts, "--out", out))) {
                Ended ended = onASmallDisk(disk, size, command);
                String what = size + " kB: " + ended.output;
                assertThat(ended.code).as(what).isEqualTo(1);
                int left = ended.output.lastIndexOf("LEFT");
                assertThat(ended.output.substring(0, left))
                        .as(what)
                        .contains("whirlwind: ", "No space left on device")
                        .doesNotContain("whirlwind: unexpected");
                assertThat(ended.output.substring(left))
                        .as(what)
                        .doesNotContain("dataset.json", ".partial")
                        .doesNotContain("model.safetensors");
            }
        }
    }

    @Test
    void initAtEveryWrite() throws IOException {
        Path config = Cli.write(temp.resolve("tiny.json"), Cli.TINY);
        atEveryWrite("init", "--config", config, "--out", temp.resolve("out"));
    }

    @Test
    void trainAtEveryWrite() throws IOException {
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path prepared = temp.resolve("prepared");
        Cli.run("prepare", "--model", model, "--data", texts, "--out", prepared).succeeds();
        atEveryWrite(
                "train",
                "--model",
                model,
                "--data",
                prepared,
                "--out",
                temp.resolve("out"),
                "--steps",
                "2",
                "--save-every",
                "1",
                "--keep",
                "1",
                "--batch",
                "2",
                "--sequence",
                "16",
                "--eval-windows",
                "4",
                "--engine",
                "cpu");
    }

    /** Lets the first call fail, then the second, and so on until none does. */
    private void atEveryWrite(Object... command) throws IOException {
        Path out = temp.resolve("out");
        boolean failed = true;
        for (int call = 0; failed; call += 1 + call / 8) {
            Models.delete(out);
            Cli.Result result;
            try (WatchedDisk disk = new WatchedDisk().failingAfter(call)) {
                result = Cli.run(command);
                failed = disk.calls().size() > call;
            }
            String what = "call " + call + ": " + result.err();
            // What a run is watched by may be missing in the end.
            boolean watched = result.err().contains("; the run goes on without it");
            if (watched && result.code() == 0) {
                assertThat(result.err()).as(what).contains(WatchedDisk.FULL);
                assertThat(out.resolve("final/model.safetensors")).exists();
                continue;
            }
            assertThat(result.code()).as(what).isEqualTo(failed ? 1 : 0);
            if (failed) {
                assertThat(result.err().lines().toList().getLast())
                        .as(what)
                        .startsWith("whirlwind: ")
                        .contains(WatchedDisk.FULL)
                        .doesNotContain("whirlwind: unexpected");
                // What is removed for good goes by that name, too, until the next start.
                boolean removing = Files.exists(out.resolve("checkpoints/step-00000002"));
                assertThat(files(out.resolve("checkpoints")))
                        .noneMatch(file -> file.contains(removing ? "2.partial" : ".partial"));
            }
        }
    }

    private static List<String> files(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> paths = Files.walk(folder)) {
            return paths.map(Path::toString).toList();
        }
    }

    /** A process without any network interface trains, evaluates and generates as ever. */
    @Test
    void noNetwork() throws Exception {
        assumeNamespaces("-Urn");
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        List<String> command = new ArrayList<>(List.of("unshare", "-Urn"));
        command.addAll(Child.program(
                List.of(),
                "train",
                "--model",
                model,
                "--data",
                texts,
                "--out",
                temp.resolve("run"),
                "--steps",
                2,
                "--batch",
                2,
                "--sequence",
                16,
                "--eval-windows",
                4,
                "--engine",
                "loops"));
        Ended ended = run(command);
        assertThat(ended.code).as(ended.output).isZero();
        assertThat(temp.resolve("run/final/model.safetensors")).exists();
    }

    @Test
    void aFolderThatMayOnlyBeRead() throws IOException {
        Path folder = Files.createDirectories(temp.resolve("locked"));
        assumeTrue(folder.toFile().setWritable(false) && !Files.isWritable(folder), "root may write anywhere");
        Path model = Cli.model(temp.resolve("model"));
        Path texts = Cli.texts(temp.resolve("texts"));
        Path out = folder.resolve("out");
        Cli.run("init", "--config", temp.resolve("tiny.json"), "--out", out).fails("permission denied");
        Cli.run("prepare", "--model", model, "--data", texts, "--out", out).fails("permission denied");
        Cli.run("train", "--model", model, "--data", texts, "--out", out).fails("permission denied");
        folder.toFile().setWritable(true);
    }
}
