package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.Trainer;
import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeElement;
import java.lang.classfile.instruction.InvokeInstruction;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Only {@link Storage} and its neighbours change the disk: what goes past them is neither synced nor tested to fail. */
class OneWayToTheDiskTest {
    private static final String NEIGHBOURS = "dev/whirlwind/model/files/";

    /** A temporary file, a cache that only saves time, and standard output: nobody misses them after a power cut. */
    private static final Set<String> EXCEPT = Set.of(
            "dev/whirlwind/data/sources/formats/Content",
            "dev/whirlwind/data/tokenizers/Trial",
            "dev/whirlwind/data/tokenizers/TokenizerHost");

    private static final Set<String> CHANGES = Set.of(
            "java/nio/file/Files.write",
            "java/nio/file/Files.writeString",
            "java/nio/file/Files.newOutputStream",
            "java/nio/file/Files.newBufferedWriter",
            "java/nio/file/Files.newByteChannel",
            "java/nio/file/Files.move",
            "java/nio/file/Files.copy",
            "java/nio/file/Files.delete",
            "java/nio/file/Files.deleteIfExists",
            "java/nio/file/Files.createFile",
            "java/nio/file/Files.createTempFile",
            "java/nio/file/Files.createDirectory",
            "java/nio/file/Files.createDirectories",
            "java/nio/file/Files.createSymbolicLink",
            "java/io/File.delete",
            "java/io/File.mkdir",
            "java/io/File.mkdirs",
            "java/io/File.renameTo",
            "java/io/FileOutputStream.<init>",
            "java/io/FileWriter.<init>",
            "java/io/RandomAccessFile.<init>");

    @Test
    void nothingElseChangesTheDisk() throws Exception {
        List<String> found = new ArrayList<>();
        int classes = 0;
        for (Class<?> module : List.of(Storage.class, TokenDataset.class, Trainer.class, Main.class)) {
            URI place =
                    module.getProtectionDomain().getCodeSource().getLocation().toURI();
            Path path = Path.of(place);
            if (Files.isDirectory(path)) {
                classes += search(path, found);
            } else {
                try (FileSystem jar = FileSystems.newFileSystem(URI.create("jar:" + place), Map.of())) {
                    classes += search(jar.getPath("/"), found);
                }
            }
        }
        assertThat(classes).isGreaterThan(100);
        assertThat(found).isEmpty();
    }

    private static int search(Path root, List<String> found) throws IOException {
        List<Path> classes;
        try (Stream<Path> paths = Files.walk(root)) {
            classes = paths.filter(path -> path.toString().endsWith(".class")).toList();
        }
        for (Path path : classes) {
            var parsed = ClassFile.of().parse(Files.readAllBytes(path));
            String name = parsed.thisClass().asInternalName();
            if (name.startsWith(NEIGHBOURS) || EXCEPT.contains(name)) {
                continue;
            }
            for (var method : parsed.methods()) {
                for (CodeElement element :
                        method.code().map(code -> (Iterable<CodeElement>) code).orElse(List.of())) {
                    if (element instanceof InvokeInstruction call) {
                        String called = call.owner().asInternalName() + "."
                                + call.name().stringValue();
                        if (CHANGES.contains(called)) {
                            found.add(name + " calls " + called);
                        }
                    }
                }
            }
        }
        return classes.size();
    }
}
