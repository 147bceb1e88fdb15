package dev.whirlwind.model.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class WholeFileTest {
    @TempDir
    Path temp;

    @Test
    void upToItsBound() throws IOException {
        Path file = Files.write(temp.resolve("a"), new byte[5]);
        assertThat(WholeFile.read(file, 5)).hasSize(5);
        assertThatThrownBy(() -> WholeFile.read(file, 4))
                .isInstanceOf(UserException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining("more than");
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(5L << 30);
        }
        assertThatThrownBy(() -> WholeFile.read(file, WholeFile.TABLE)).hasMessageContaining("more than 512 MiB");
    }

    @Test
    void onlyRegularFiles() {
        assertThatThrownBy(() -> WholeFile.read(temp, 10))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("a folder");
        assertThatThrownBy(() -> WholeFile.read(temp.resolve("none"), 10)).isInstanceOf(NoSuchFileException.class);
    }

    @Test
    @EnabledOnOs({OS.LINUX, OS.MAC})
    void noDeviceAndNoPipe() throws Exception {
        assertThatThrownBy(() -> WholeFile.read(Path.of("/dev/zero"), 10))
                .isInstanceOf(UserException.class)
                .hasMessage("/dev/zero: is not a file but a device or pipe");
        Path pipe = temp.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        assertThatThrownBy(() -> WholeFile.read(pipe, 10)).hasMessageContaining("device or pipe");
    }

    @Test
    void pointersOfGitLfs() throws IOException {
        Path file = Files.writeString(
                temp.resolve("tokenizer.json"),
                "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 11421896\n");
        assertThatThrownBy(() -> WholeFile.read(file, WholeFile.SETTINGS))
                .isInstanceOf(UserException.class)
                .hasMessageContaining(file + ": is a Git LFS pointer")
                .hasMessageContaining("git lfs pull");
        Path other = Files.writeString(temp.resolve("b"), "version https://git");
        assertThat(WholeFile.read(other, 100)).hasSize(19);
    }
}
