package dev.whirlwind.model.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StorageTest {
    @TempDir
    Path folder;

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void whatIsWrittenSurvivesAPowerCut() throws IOException {
        Path made = folder.resolve("a/b");
        try (WatchedDisk disk = new WatchedDisk()) {
            Storage.createFolders(made);
            Storage.replace(made.resolve("one"), bytes("1"));
            Storage.replace(made.resolve("one"), bytes("2"));
            // An empty file that was opened to append has no content yet that could be lost.
            Storage.append(made.resolve("two")).close();
            assertThat(disk.unsynced(folder)).containsExactly(made.resolve("two"));
            Storage.createFolder(made.resolve("c"));
            Storage.move(made.resolve("c"), made.resolve("d"));
            Storage.createFolder(made.resolve("c"));
            assertThat(Storage.swap(made.resolve("c"), made.resolve("d"))).isTrue();
            assertThat(disk.unsynced(folder)).containsExactly(made.resolve("two"));
        }
        assertThat(made.resolve("one")).hasContent("2");
    }

    /** Replacing fails at each of its calls in turn, and the old content is there. */
    @Test
    void aFailedReplacementLeavesTheOldAndNothingElse() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "old");
        int call = 0;
        for (boolean failed = true; failed; call++) {
            try (WatchedDisk disk = new WatchedDisk().failingAfter(call)) {
                Storage.replace(file, bytes("new"));
                failed = disk.calls().size() > call;
            } catch (IOException e) {
                assertThat(e).hasMessage(WatchedDisk.FULL);
                // Once renamed, only the sync of its new name can fail.
                assertThat(Files.readString(file)).isIn("old", "new");
                assertThat(Storage.list(folder)).containsExactly(file);
            }
        }
        assertThat(file).hasContent("new");
        assertThat(call).isGreaterThan(4);
    }

    @Test
    void ofLinksOnlyTheLinkIsDeleted() throws IOException {
        Path precious = Files.createDirectories(folder.resolve("elsewhere/precious"));
        Files.writeString(precious.resolve("weights"), "mine");
        Path tree = Files.createDirectories(folder.resolve("tree/inner"));
        Files.createSymbolicLink(tree.resolve("link"), precious);
        Files.createSymbolicLink(tree.resolve("file"), precious.resolve("weights"));
        Files.createSymbolicLink(tree.resolve("nowhere"), folder.resolve("nothing"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), precious);

        Storage.delete(folder.resolve("tree"));
        Storage.delete(link);
        Storage.delete(folder.resolve("nothing"));
        assertThat(Storage.list(folder)).containsExactly(folder.resolve("elsewhere"));
        assertThat(precious.resolve("weights")).hasContent("mine");

        Files.createSymbolicLink(link, precious.resolve("weights"));
        Storage.write(link, bytes("new"));
        assertThat(precious.resolve("weights")).hasContent("mine");
        assertThat(link).hasContent("new");
    }

    @Test
    void aFolderIsNotMadeWhereTheFolderAboveHasGone() throws IOException {
        assertThatThrownBy(() -> Storage.createFolder(folder.resolve("gone/new")))
                .isInstanceOf(IOException.class);
        Path file = Files.writeString(folder.resolve("file"), "");
        assertThatThrownBy(() -> Storage.createFolder(file)).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> Storage.createFolders(file.resolve("a"))).isInstanceOf(IOException.class);
    }
}
