package dev.whirlwind.model.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderLockTest {
    @TempDir
    Path temp;

    @Test
    void onlyOneHasIt() {
        Path folder = temp.resolve("a/b");
        FolderLock lock = new FolderLock(folder);
        assertThat(lock.isHeld()).isTrue();
        assertThatThrownBy(() -> new FolderLock(folder)).isInstanceOf(UserException.class);
        assertThat(lock.isHeld()).isTrue();
        lock.close();
        assertThat(folder).isEmptyDirectory();
        assertThat(lock.isHeld()).isFalse();
        new FolderLock(folder).close();
    }

    /** Each other process asks once; of those that run at once only one may be let in, and it must be told apart. */
    @Test
    void anotherProcessIsToldWhoHasIt() throws Exception {
        try (FolderLock _ = new FolderLock(temp)) {
            Process other = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            Other.class.getName(),
                            temp.toString())
                    .redirectErrorStream(true)
                    .start();
            assertThat(new String(other.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8))
                    .contains("another process (" + ProcessHandle.current().pid() + ") is at work in this folder");
            assertThat(other.waitFor()).isEqualTo(3);
        }
    }

    /** Exits with 3 where it gets no lock. */
    static final class Other {
        public static void main(String[] args) {
            try {
                new FolderLock(Path.of(args[0])).close();
            } catch (UserException e) {
                System.out.println(e.getMessage());
                System.exit(3);
            }
        }
    }

    @Test
    void knowsThatItsFolderWasMovedOrReplaced() throws IOException {
        Path folder = temp.resolve("run");
        try (FolderLock lock = new FolderLock(folder)) {
            Path moved = Files.move(folder, temp.resolve("elsewhere"));
            assertThat(lock.isHeld()).isFalse();
            try (FolderLock other = new FolderLock(folder)) {
                assertThat(lock.isHeld()).isFalse();
                assertThat(other.isHeld()).isTrue();
            }
            Files.delete(folder);
            Files.move(moved, folder);
            assertThat(lock.isHeld()).isTrue();
        }
    }

    @Test
    void forgetsWhatItCreatedAndNoMore() throws IOException {
        Path mine = Files.createDirectories(temp.resolve("mine"));
        new FolderLock(mine.resolve("a/b")).closeAndForget();
        assertThat(mine).isEmptyDirectory();
        new FolderLock(mine).closeAndForget();
        assertThat(mine).isEmptyDirectory();
        FolderLock lock = new FolderLock(mine.resolve("a/b"));
        Files.writeString(mine.resolve("a/precious"), "x");
        lock.closeAndForget();
        assertThat(mine.resolve("a/b")).doesNotExist();
        assertThat(mine.resolve("a/precious")).exists();
    }

    @Test
    void aFileIsNoFolder() throws IOException {
        Path file = Files.writeString(temp.resolve("file"), "x");
        assertThatThrownBy(() -> new FolderLock(file))
                .isInstanceOf(UserException.class)
                .hasMessageContaining(file.toString());
        assertThatThrownBy(() -> new FolderLock(file.resolve("below"))).isInstanceOf(UserException.class);
        assertThat(file).hasContent("x");
    }
}
