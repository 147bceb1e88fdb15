package dev.whirlwind.training.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WatchedDisk;
import dev.whirlwind.training.metrics.Event;
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

    private final List<String> notes = new ArrayList<>();

    private Checkpoints checkpoints() {
        notes.clear();
        return new Checkpoints(run, notes::add);
    }

    /** What a checkpoint needs, and a file of this text. */
    private static Disk.Content content(long step, String text) {
        return directory -> {
            Files.writeString(directory.resolve("a.bin"), text);
            Files.writeString(directory.resolve("config.json"), "{}");
            Files.writeString(directory.resolve("optimizer.safetensors"), "moments");
            TrainerState state = new TrainerState();
            state.step = step;
            state.write(directory);
        };
    }

    private static void save(Checkpoints checkpoints, int keep, long... steps) {
        for (long step : steps) {
            checkpoints.save(step, keep, content(step, "" + step));
        }
    }

    private Path path(long step) {
        return run.resolve("checkpoints").resolve(Checkpoints.name(step));
    }

    private Path newest() {
        return checkpoints().newestWhole().orElseThrow().folder();
    }

    @Test
    void keepsTheLastOnes() {
        Checkpoints checkpoints = checkpoints();
        save(checkpoints, 2, 5, 10, 15, 999, 100_000_000);
        assertThat(checkpoints.list()).containsExactly(path(999), path(100_000_000));
        assertThat(newest()).isEqualTo(path(100_000_000));
        save(checkpoints, 0, 100_000_001, 100_000_002);
        assertThat(checkpoints.list()).hasSize(4);
    }

    @Test
    void savedIsDescribed() {
        Event.Saved saved = checkpoints().publish("best", 7, directory -> {
            Files.writeString(directory.resolve("a.bin"), "abc");
            Files.writeString(directory.resolve("b.json"), "{}");
        });
        assertThat(saved.path()).isEqualTo("best");
        assertThat(saved.bytes()).isEqualTo(5);
        assertThat(run.resolve("best").resolve(Manifest.NAME))
                .content()
                .contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        save(checkpoints(), 0, 7);
        Checkpoint checkpoint = checkpoints().newestWhole().orElseThrow();
        assertThat(checkpoint.saved(run).path()).isEqualTo("checkpoints/step-00000007");
        assertThat(checkpoint.state().step).isEqualTo(7);
    }

    @Test
    void nothingSavedIsNoDamage() {
        assertThat(checkpoints().newestWhole()).isEmpty();
    }

    // ------------------------------------------------------------------------------------------------ keeping

    @Test
    void damagedOnesDoNotCountAsKept() throws IOException {
        Checkpoints checkpoints = checkpoints();
        save(checkpoints, 2, 1, 2, 3);
        // Cut, which is seen at a glance.
        Files.writeString(path(3).resolve("a.bin"), "");
        save(checkpoints, 2, 4);
        assertThat(checkpoints.list()).containsExactly(path(2), path(3), path(4));
        // Altered, which only reading it shows, as at a start.
        Files.writeString(path(4).resolve("a.bin"), "?");
        checkpoints = checkpoints();
        assertThat(checkpoints.newestWhole().orElseThrow().folder()).isEqualTo(path(2));
        assertThat(notes).hasSize(2).allMatch(note -> note.endsWith("going on from the older step-00000002"));
        save(checkpoints, 2, 5);
        assertThat(checkpoints.list()).containsExactly(path(2), path(3), path(4), path(5));
        // Written again, it counts again.
        save(checkpoints, 2, 4, 5);
        assertThat(checkpoints.list()).containsExactly(path(4), path(5));
        save(checkpoints, 1, 6);
        assertThat(checkpoints.list()).containsExactly(path(6));
    }

    /** As after a start from an older one, when a newer is damaged. */
    @Test
    void theOneJustSavedIsKeptWhateverIsNewer() throws IOException {
        Checkpoints checkpoints = checkpoints();
        save(checkpoints, 0, 1, 2, 9);
        save(checkpoints, 1, 3);
        assertThat(checkpoints.list()).containsExactly(path(3), path(9));
    }

    @Test
    void whatOnlyLooksLikeACheckpointIsLeftAlone() throws IOException {
        Checkpoints checkpoints = checkpoints();
        save(checkpoints, 0, 1);
        Path folder = run.resolve("checkpoints");
        List<String> strange = List.of(
                "step-99999999999999999999",
                "step-99999999999999999999999999999999",
                "step-00000001.bak",
                "step-000000002",
                "step-0000000２",
                "step--0000001",
                "step-1",
                "STEP-00000005",
                "notes");
        for (String name : strange) {
            Files.createDirectory(folder.resolve(name));
        }
        assertThat(newest()).isEqualTo(path(1));
        assertThat(notes).isEmpty();
        save(checkpoints, 1, 2, 3);
        assertThat(checkpoints.list()).containsExactly(path(3));
        assertThat(strange).allMatch(name -> Files.exists(folder.resolve(name)));
    }

    @Test
    void aFileInACheckpointsPlaceIsDamage() throws IOException {
        save(checkpoints(), 0, 1);
        Files.writeString(path(2), "");
        Files.createSymbolicLink(path(3), run.resolve("nothing"));
        assertThat(newest()).isEqualTo(path(1));
        assertThat(notes).hasSize(2).allMatch(note -> note.contains("damaged, it is not a folder"));
        save(checkpoints(), 1, 2, 3);
        assertThat(newest()).isEqualTo(path(3));
    }

    // ------------------------------------------------------------------------------------------------ links

    @Test
    void whatAUserMovedElsewhereAndLinkedIsNeverEmptied() throws IOException {
        Checkpoints checkpoints = checkpoints();
        save(checkpoints, 0, 1, 2);
        checkpoints.publish("best", 2, content(2, "two"));
        Path disk = Files.createDirectory(run.resolve("disk"));
        List<Path> moved = new ArrayList<>();
        for (Path path : List.of(path(1), path(2), run.resolve("best"))) {
            Path target = disk.resolve(path.getFileName());
            Files.move(path, target);
            Files.createSymbolicLink(path, target);
            moved.add(target);
        }
        // Read through the link.
        assertThat(newest()).isEqualTo(path(2));

        checkpoints = checkpoints();
        save(checkpoints, 1, 3);
        save(checkpoints, 0, 2);
        checkpoints.publish("best", 3, content(3, "three"));
        assertThat(checkpoints.list()).containsExactly(path(2), path(3));
        assertThat(run.resolve("best/a.bin")).hasContent("three");
        assertThat(Files.isSymbolicLink(run.resolve("best"))).isFalse();
        assertThat(disk.resolve("best/a.bin")).hasContent("two");
        assertThat(moved).allSatisfy(Manifest::verify);
        assertThat(notes)
                .hasSize(3)
                .allMatch(note -> note.contains("link") && note.contains("is left as it is") && note.contains("disk"));
    }

    @Test
    void theFolderOfCheckpointsMayBeALink() throws IOException {
        Path disk = Files.createDirectory(run.resolve("disk"));
        Files.createSymbolicLink(run.resolve("checkpoints"), disk);
        Checkpoints checkpoints = checkpoints();
        save(checkpoints, 1, 1, 2);
        assertThat(newest()).isEqualTo(path(2));
        assertThat(Storage.list(disk)).containsExactly(disk.resolve("step-00000002"));
    }

    // ------------------------------------------------------------------------------------------------ half-done work

    @Test
    void startClearsWhatAKilledProcessLeftAndNothingElse() throws IOException {
        save(checkpoints(), 2, 1);
        checkpoints().publish("final", 1, content(1, "one"));
        Path partial = run.resolve("checkpoints/.step-00000002.partial");
        Files.createDirectories(partial);
        content(2, "half").write(partial);
        Files.move(run.resolve("final"), run.resolve(".final.old"));
        Path precious = Files.createDirectory(run.resolve("precious"));
        Files.writeString(precious.resolve("a"), "mine");
        Files.createSymbolicLink(run.resolve(".best.partial"), precious);
        List<Path> others = List.of(
                run.resolve(".notes.old"),
                run.resolve(".work.partial/draft"),
                run.resolve("checkpoints/.notes.old"),
                run.resolve("checkpoints/.best.old"),
                run.resolve(".step-00000001.partial"),
                run.resolve(".partial"),
                run.resolve(".old"));
        for (Path other : others) {
            Files.createDirectories(other.getParent());
            Files.writeString(other, "mine");
        }

        Checkpoints checkpoints = checkpoints();
        assertThat(partial).doesNotExist();
        assertThat(run.resolve(".best.partial")).doesNotExist();
        assertThat(run.resolve(".final.old")).doesNotExist();
        assertThat(run.resolve("final/a.bin")).hasContent("one");
        assertThat(checkpoints.list()).containsExactly(path(1));
        assertThat(precious.resolve("a")).hasContent("mine");
        assertThat(others).allSatisfy(other -> assertThat(other).hasContent("mine"));
    }

    /** Every call that a save makes of the system fails once, as on a disk that is full from then on. */
    @Test
    void whereverASaveFailsTheLastStaysAndNothingIsLeftBehind() throws IOException {
        for (boolean swap : new boolean[] {true, false}) {
            save(checkpoints(), 1, 3);
            checkpoints().publish("best", 3, content(3, "three"));
            int call = 0;
            for (boolean failed = true; failed; call++) {
                Checkpoints checkpoints = checkpoints();
                WatchedDisk disk = new WatchedDisk();
                try (disk) {
                    if (!swap) {
                        disk.withoutSwap();
                    }
                    disk.failingAfter(call);
                    checkpoints.publish("best", 6, content(6, "six"));
                    checkpoints.save(6, 1, content(6, "six"));
                } catch (UserException e) {
                    assertThat(e).hasMessageContainingAll("not saved: ", WatchedDisk.FULL, "untouched", "resume");
                }
                failed = disk.calls().size() > call;
                assertThat(checkpoints().newestWhole().orElseThrow().state().step)
                        .isIn(3L, 6L);
                assertThat(notes).isEmpty();
                Manifest.verify(run.resolve("best"));
                assertThat(Files.readString(run.resolve("best/a.bin"))).isIn("three", "six");
                assertThat(Storage.list(run)).containsExactly(run.resolve("best"), run.resolve("checkpoints"));
            }
            assertThat(call).isGreaterThan(30);
            assertThat(newest()).isEqualTo(path(6));
            Storage.delete(run.resolve("best"));
            Storage.delete(run.resolve("checkpoints"));
        }
    }

    /** Nothing has its name, or is told of as saved, before it would survive a power cut. */
    @Test
    void everythingIsSyncedBeforeItIsNamed() {
        for (boolean swap : new boolean[] {true, false}) {
            Checkpoints checkpoints = checkpoints();
            WatchedDisk disk = new WatchedDisk();
            try (disk) {
                if (!swap) {
                    disk.withoutSwap();
                }
                for (int i = 0; i < 2; i++) {
                    checkpoints.publish("best", 3, content(3, "three"));
                    assertThat(disk.unsynced(run)).isEmpty();
                    checkpoints.save(3, 0, content(3, "three"));
                    assertThat(disk.unsynced(run)).isEmpty();
                }
            }
            List<WatchedDisk.Call> calls = disk.calls();
            for (int i = 0; i < calls.size(); i++) {
                WatchedDisk.Call call = calls.get(i);
                boolean names = call.action() == WatchedDisk.Action.RENAME || call.action() == WatchedDisk.Action.SWAP;
                if (names && call.path().toString().endsWith(".partial")) {
                    // Written behind the back of Storage, by this test, they are synced all the same.
                    for (String file :
                            new String[] {"a.bin", "config.json", "manifest.json", "trainer_state.json", ""}) {
                        Path path = call.path().resolve(file);
                        assertThat(calls.subList(0, i))
                                .as("%s", path)
                                .anyMatch(c -> c.action() == WatchedDisk.Action.SYNC
                                        && c.path().equals(path));
                    }
                }
            }
        }
    }

    @Test
    void aRunFolderThatHasGoneIsNotMadeAgain() throws IOException {
        Path gone = run.resolve("gone");
        assertThatThrownBy(() -> new Checkpoints(gone, notes::add).save(1, 0, content(1, "")))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("not saved: no such file or folder");
        assertThat(gone).doesNotExist();
    }

    @Test
    void whatIsTooOldAndCannotBeRemovedIsToldAndTheRunGoesOn() throws IOException {
        Checkpoints checkpoints = checkpoints();
        save(checkpoints, 1, 1);
        // A file where the folder that is to be deleted would step aside.
        Path inTheWay = Files.createDirectory(run.resolve("checkpoints/.step-00000001.partial"));
        Path locked = Files.createDirectory(inTheWay.resolve("locked"));
        Files.writeString(locked.resolve("a"), "");
        assumeTrue(locked.toFile().setWritable(false) && !Files.isWritable(locked), "root may write everywhere");
        save(checkpoints, 1, 2);
        locked.toFile().setWritable(true);
        assertThat(notes).singleElement().asString().contains("step-00000001", "cannot be removed");
        assertThat(newest()).isEqualTo(path(2));
    }

    @Test
    void bestIsThereAtEveryMomentWhileItIsReplaced() throws Exception {
        Checkpoints checkpoints = checkpoints();
        checkpoints.publish("best", 0, content(0, "version 0"));
        Path other = Files.createDirectory(run.resolve("other"));
        assumeTrue(Storage.swap(run.resolve("best"), other), "this file system cannot swap folders");
        Storage.swap(run.resolve("best"), other);
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
            checkpoints.publish("best", i, content(i, "version " + i));
        }
        done.set(true);
        reader.join();
        assertThat(best).hasContent("version 50");
        assertThat(missing).isEmpty();
        assertThat(Storage.list(run)).containsExactly(run.resolve("best"));
    }
}
