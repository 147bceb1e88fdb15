package dev.whirlwind.training;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;

/** {@code manifest.json}: sizes and SHA-256 of a directory's files, written after all of them. */
record Manifest(List<Entry> files) {
    static final String NAME = "manifest.json";
    private static final int CHUNK = 1 << 20;

    record Entry(String name, long bytes, String sha256) {
        void verify(Path directory) {
            Path file = directory.resolve(name);
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                if (channel.size() != bytes) {
                    throw damaged(file, "has " + channel.size() + " bytes where " + bytes + " were written");
                }
                if (!hash(channel).equals(sha256)) {
                    throw damaged(file, "no longer has the SHA-256 that was written");
                }
            } catch (IOException e) {
                throw damaged(file, "cannot be read: " + Reason.of(e));
            }
        }
    }

    /** Syncs every file of the directory to the disk, then the manifest of them, then the directory itself. */
    static Manifest seal(Path directory) throws IOException {
        Manifest manifest;
        try (Stream<Path> files = Files.list(directory)) {
            manifest = new Manifest(files.toList().parallelStream()
                    .map(Manifest::syncAndDescribe)
                    .sorted(Comparator.comparing(Entry::name))
                    .toList());
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        Path file = directory.resolve(NAME);
        Files.write(file, Json.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsBytes(manifest));
        syncAndDescribe(file);
        Disk.syncDirectory(directory);
        return manifest;
    }

    static Manifest read(Path directory) {
        Path file = directory.resolve(NAME);
        Manifest manifest;
        try {
            manifest = Json.MAPPER.readValue(Files.readAllBytes(file), Manifest.class);
        } catch (IOException e) {
            throw damaged(file, "cannot be read: " + Reason.of(e));
        } catch (JacksonException e) {
            throw damaged(file, "is not the JSON that was written");
        }
        if (manifest == null || manifest.files == null || manifest.files.isEmpty()) {
            throw damaged(file, "lists no files");
        }
        return manifest;
    }

    /** Reads every file again. An error names the first that is missing, cut off or altered. */
    static void verify(Path directory) {
        read(directory).files.forEach(entry -> entry.verify(directory));
    }

    long bytes() {
        return files.stream().mapToLong(Entry::bytes).sum();
    }

    private static Entry syncAndDescribe(Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            channel.force(true);
            return new Entry(file.getFileName().toString(), channel.size(), hash(channel));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String hash(FileChannel channel) throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            ByteBuffer chunk = ByteBuffer.allocate(CHUNK);
            while (channel.read(chunk) >= 0) {
                digest.update(chunk.flip());
                chunk.clear();
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }

    private static UserException damaged(Path file, String how) {
        return new UserException(file + ": damaged, it " + how);
    }
}
