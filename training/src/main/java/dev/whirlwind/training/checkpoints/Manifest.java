package dev.whirlwind.training.checkpoints;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.training.metrics.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.ObjectReader;

/**
 * {@code manifest.json}: sizes and SHA-256 of a directory's files, written after all of them.
 *
 * @param sha256 of the JSON of {@code files}, so that the manifest vouches for itself, too; null in those of versions that
 *     did not write it
 */
public record Manifest(List<Entry> files, String sha256) {
    public static final String NAME = "manifest.json";
    private static final ObjectReader FORM =
            Json.MAPPER.readerFor(Manifest.class).with(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
    private static final int CHUNK = 1 << 20;
    private static final Pattern PLAIN_NAME = Pattern.compile("[^/\\\\:\\p{Cntrl}]+");
    private static final Pattern HASH = Pattern.compile("[0-9a-f]{64}");

    /** What loaders of models and tokenizers look for, and might prefer to what was written. */
    private static final Pattern LOADED = Pattern.compile("[^.].*\\.(json|safetensors|bin|model)");

    record Entry(String name, long bytes, String sha256) {
        /** Whether this can be an entry, of a file in the directory itself. */
        private boolean isSound() {
            return name != null
                    && PLAIN_NAME.matcher(name).matches()
                    && !name.matches("\\.\\.?")
                    && !name.equals(NAME)
                    && bytes >= 0
                    && sha256 != null
                    && HASH.matcher(sha256).matches();
        }

        private void verifySize(Path directory) {
            Path file = directory.resolve(name);
            if (!Files.exists(file)) {
                throw damaged(file, "is missing");
            }
            // A device or a pipe would never come to an end.
            if (!Files.isRegularFile(file)) {
                throw damaged(file, "is not a file");
            }
            try {
                long size = Files.size(file);
                if (size != bytes) {
                    throw damaged(file, "has " + size + " bytes where " + bytes + " were written");
                }
            } catch (IOException e) {
                throw damaged(file, "cannot be read: " + Reason.of(e));
            }
        }

        private void verifyContent(Path directory) {
            Path file = directory.resolve(name);
            try {
                if (!hash(file).equals(sha256)) {
                    throw damaged(file, "no longer has the SHA-256 that was written");
                }
            } catch (IOException e) {
                throw damaged(file, "cannot be read: " + Reason.of(e));
            }
        }
    }

    private static Manifest of(List<Entry> files) {
        return new Manifest(files, hash(Json.pretty(files)));
    }

    /** Syncs every file of the directory to the disk, then the manifest of them, then the directory itself. */
    public static Manifest seal(Path directory) throws IOException {
        Manifest manifest;
        try (Stream<Path> files = Files.list(directory)) {
            manifest = of(files.toList().parallelStream()
                    .map(Manifest::syncAndDescribe)
                    .sorted(Comparator.comparing(Entry::name))
                    .toList());
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        Storage.write(directory.resolve(NAME), Json.pretty(manifest));
        Storage.sync(directory);
        return manifest;
    }

    /** The manifest, byte for byte as it was written, and of no other form than those that are. */
    static Manifest read(Path directory) {
        Path file = directory.resolve(NAME);
        if (!Files.isDirectory(directory)) {
            throw damaged(directory, "is not a folder");
        }
        byte[] bytes;
        Manifest manifest;
        try {
            bytes = WholeFile.read(file, WholeFile.SETTINGS);
            manifest = FORM.readValue(bytes);
        } catch (IOException e) {
            throw damaged(file, "cannot be read: " + Reason.of(e));
        } catch (JacksonException e) {
            throw damaged(file, "is not the JSON that was written");
        }
        if (manifest == null || manifest.files == null || manifest.files.isEmpty()) {
            throw damaged(file, "lists no files");
        }
        Set<String> names = new HashSet<>();
        for (Entry entry : manifest.files) {
            if (entry == null || !entry.isSound() || !names.add(entry.name)) {
                throw damaged(file, "lists what is not a file of a checkpoint");
            }
        }
        if (manifest.sha256 != null && !Arrays.equals(bytes, Json.pretty(of(manifest.files)))) {
            throw damaged(file, "is not what was written");
        }
        return manifest;
    }

    /**
     * Whether the listed files, and no others that matter, are there in their sizes. Takes no time, however large they are.
     *
     * @throws UserException if not, naming the first that is missing, cut off or too many
     */
    static Manifest verifySizes(Path directory) {
        Manifest manifest = read(directory);
        manifest.files.forEach(entry -> entry.verifySize(directory));
        try {
            for (Path file : Storage.list(directory)) {
                String name = file.getFileName().toString();
                if (LOADED.matcher(name).matches() && !name.equals(NAME) && !manifest.lists(name)) {
                    throw damaged(directory, "holds " + name + ", which was not written there");
                }
            }
        } catch (IOException e) {
            throw damaged(directory, "cannot be read: " + Reason.of(e));
        }
        return manifest;
    }

    /** Reads every file again. An error names the first that is missing, cut off, altered or too many. */
    public static Manifest verify(Path directory) {
        Manifest manifest = verifySizes(directory);
        manifest.files.forEach(entry -> entry.verifyContent(directory));
        return manifest;
    }

    boolean lists(String name) {
        return files.stream().anyMatch(entry -> entry.name.equals(name));
    }

    long bytes() {
        return files.stream().mapToLong(Entry::bytes).sum();
    }

    private static Entry syncAndDescribe(Path file) {
        try {
            Storage.sync(file);
            return new Entry(file.getFileName().toString(), Files.size(file), hash(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static String hash(byte[] bytes) {
        return HexFormat.of().formatHex(digester().digest(bytes));
    }

    static String hash(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            MessageDigest digest = digester();
            ByteBuffer chunk = ByteBuffer.allocate(CHUNK);
            while (channel.read(chunk) >= 0) {
                digest.update(chunk.flip());
                chunk.clear();
            }
            return HexFormat.of().formatHex(digest.digest());
        }
    }

    private static MessageDigest digester() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    static UserException damaged(Path file, String how) {
        return new UserException(file + ": damaged, it " + how);
    }
}
