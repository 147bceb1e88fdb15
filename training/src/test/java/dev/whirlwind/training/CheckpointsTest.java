package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointsTest {
    @TempDir
    Path run;

    private static Disk.Content content(String text) {
        return directory -> {
            Files.writeString(directory.resolve("a.bin"), text);
            Files.writeString(directory.resolve("b.json"), "{}");
        };
    }

    private Path path(long step) {
        return run.resolve("checkpoints").resolve(Checkpoints.name(step));
    }

    private static Path newest(Checkpoints checkpoints, List<String> notes) {
        return checkpoints.newestWhole(notes::add).orElseThrow();
    }

    @Test
    void keepsTheLastOnes() {
        Checkpoints checkpoints = new Checkpoints(run, 2);
        for (long step : new long[] {5, 10, 15, 999, 100_000_000}) {
            checkpoints.save(step, content("" + step));
        }
        assertThat(checkpoints.list()).containsExactly(path(999), path(100_000_000));
        assertThat(newest(checkpoints, new ArrayList<>())).isEqualTo(path(100_000_000));
    }

    @Test
    void savedIsDescribed() {
        Event.Saved saved = new Checkpoints(run, 0).save(7, content("abc"));
        assertThat(saved.path()).isEqualTo("checkpoints/step-00000007");
        assertThat(saved.bytes()).isEqualTo(5);
        assertThat(path(7).resolve(Manifest.NAME))
                .content()
                .contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    @Test
    void damageOfAnyKindIsNamedAndTheOlderOneTaken() throws IOException {
        Checkpoints checkpoints = new Checkpoints(run, 0);
        checkpoints.save(1, content("one"));
        record Damage(Content content, String said) {
            interface Content {
                void apply(Path checkpoint) throws IOException;
            }
        }
        for (Damage damage : List.of(
                new Damage(c -> Files.writeString(c.resolve("a.bin"), "twp"), "a.bin: damaged"),
                new Damage(c -> Files.writeString(c.resolve("a.bin"), "tw"), "a.bin: damaged, it has 2 bytes where 3"),
                new Damage(c -> Files.delete(c.resolve("b.json")), "b.json: damaged"),
                new Damage(c -> Files.delete(c.resolve(Manifest.NAME)), "manifest.json: damaged"),
                new Damage(c -> Files.writeString(c.resolve(Manifest.NAME), ""), "manifest.json: damaged"),
                new Damage(c -> Files.writeString(c.resolve(Manifest.NAME), "null"), "manifest.json: damaged"),
                new Damage(c -> Files.writeString(c.resolve(Manifest.NAME), "{}"), "manifest.json: damaged"))) {
            checkpoints.save(2, content("two"));
            damage.content.apply(path(2));
            List<String> notes = new ArrayList<>();
            assertThat(newest(checkpoints, notes)).isEqualTo(path(1));
            assertThat(notes).singleElement().asString().contains(damage.said, "going on from the older step-00000001");
        }
        Files.delete(path(1).resolve("a.bin"));
        assertThatThrownBy(() -> newest(checkpoints, new ArrayList<>()))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("step-00000002", "no checkpoint of");
    }

    @Test
    void nothingSavedIsNoDamage() {
        assertThat(new Checkpoints(run, 2).newestWhole(note -> {})).isEmpty();
    }

    @Test
    void aFailedSaveLeavesEverythingAsItWas() throws IOException {
        Checkpoints checkpoints = new Checkpoints(run, 1);
        checkpoints.save(3, content("three"));
        checkpoints.publish("best", 3, content("three"));
        Disk.Content full = directory -> {
            Files.writeString(directory.resolve("a.bin"), "part of");
            throw new IOException("No space left on device");
        };
        assertThatThrownBy(() -> checkpoints.save(6, full))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(
                        "step-00000006", "No space left on device", "step-00000003, is untouched", "resume");
        assertThatThrownBy(() -> checkpoints.publish("best", 6, full)).isInstanceOf(UserException.class);
        assertThat(run.resolve("checkpoints"))
                .isDirectoryContaining(p -> p.equals(path(3)))
                .isDirectoryNotContaining(p -> !p.equals(path(3)));
        assertThat(run.resolve("best/a.bin")).hasContent("three");
        assertThat(Disk.list(run)).hasSize(2);
        Manifest.verify(path(3));
    }

    @Test
    void startClearsWhatAKilledProcessLeft() throws IOException {
        new Checkpoints(run, 2).save(1, content("one"));
        new Checkpoints(run, 2).publish("final", 1, content("one"));
        Path partial = run.resolve("checkpoints/.step-00000002.partial");
        Files.createDirectories(partial);
        content("half").write(partial);
        Files.move(run.resolve("final"), run.resolve(".final.old"));
        Checkpoints checkpoints = new Checkpoints(run, 2);
        assertThat(partial).doesNotExist();
        assertThat(run.resolve(".final.old")).doesNotExist();
        assertThat(run.resolve("final/a.bin")).hasContent("one");
        assertThat(checkpoints.list()).containsExactly(path(1));
    }

    @Test
    void bestIsThereAtEveryMomentWhileItIsReplaced() throws Exception {
        Checkpoints checkpoints = new Checkpoints(run, 0);
        checkpoints.publish("best", 0, content("version 0"));
        Path other = Files.createDirectory(run.resolve("other"));
        assumeTrue(Disk.Exchange.swap(run.resolve("best"), other), "this file system cannot swap folders");
        Disk.Exchange.swap(run.resolve("best"), other);
        Files.delete(other);
        Path best = run.resolve("best/a.bin");
        AtomicBoolean done = new AtomicBoolean();
        List<String> missing = new ArrayList<>();
        Thread reader = Thread.ofPlatform().start(() -> {
            while (!done.get()) {
                if (!Files.exists(best)) {
                    missing.add("once");
                }
            }
        });
        for (int i = 1; i <= 50; i++) {
            checkpoints.publish("best", i, content("version " + i));
        }
        done.set(true);
        reader.join();
        assertThat(best).hasContent("version 50");
        assertThat(missing).isEmpty();
        assertThat(Disk.list(run)).containsExactly(run.resolve("best"));
    }
}
