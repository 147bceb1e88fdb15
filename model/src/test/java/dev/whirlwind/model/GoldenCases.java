package dev.whirlwind.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The PyTorch-made cases among the test resources, as folders: other modules find them inside a jar. */
public final class GoldenCases {
    public static final List<String> NAMES = List.of(
            "gpt2",
            "gpt2-hubkeys",
            "gpt2-inverse",
            "gpt2-relu",
            "gpt2-silu",
            "gpt2-unscaled",
            "llama",
            "llama-longrope",
            "llama-rope3",
            "llama-tied",
            "llama-yarn",
            "llama-yarn-mscale",
            "mistral",
            "mistral-layers",
            "mistral-swa",
            "qwen2",
            "qwen2-dynamic",
            "qwen2-window",
            "qwen3",
            "qwen3-layers");

    private GoldenCases() {}

    /** The case's folder, read-only. */
    public static Path folder(String name) {
        return Holder.ROOT.resolve(name);
    }

    private static final class Holder {
        static final Path ROOT = find();

        private static Path find() {
            try {
                URI uri = GoldenCases.class.getResource("/golden").toURI();
                return uri.getScheme().equals("jar") ? unpack(uri) : Path.of(uri);
            } catch (Exception e) {
                throw new IllegalStateException("the golden cases are not among the test resources", e);
            }
        }

        private static Path unpack(URI uri) throws IOException {
            Path target = Files.createTempDirectory("golden");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(target)));
            try (FileSystem jar = FileSystems.newFileSystem(uri, Map.of());
                    Stream<Path> paths = Files.walk(jar.getPath("/golden"))) {
                for (Path path : (Iterable<Path>) paths::iterator) {
                    Path copy = target.resolve(
                            jar.getPath("/golden").relativize(path).toString());
                    if (Files.isDirectory(path)) {
                        Files.createDirectories(copy);
                    } else {
                        Files.copy(path, copy);
                    }
                }
            }
            return target;
        }

        private static void delete(Path folder) {
            try (Stream<Path> paths = Files.walk(folder)) {
                paths.sorted((a, b) -> b.compareTo(a))
                        .forEach(path -> path.toFile().delete());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
