package dev.whirlwind.training;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Directories that appear under their name whole or not at all. A new version of {@code X} is written to the hidden
 * sibling {@code .X.partial}; where {@code X} exists, the two change places in one system call on Linux and macOS.
 * Elsewhere {@code X} steps aside as {@code .X.old} for a moment, and {@link #recover} puts it back after a crash in it.
 */
final class Disk {
    private static final String PARTIAL = ".partial";
    private static final String OLD = ".old";

    /** Writes a directory's files; whatever it throws leaves the directory's former version untouched. */
    @FunctionalInterface
    interface Content {
        void write(Path directory) throws IOException;
    }

    private Disk() {}

    /** Creates or replaces a directory, sealed with a {@link Manifest}. */
    static Manifest write(Path directory, Content content) throws IOException {
        Path partial = sibling(directory, PARTIAL);
        delete(partial);
        try {
            Files.createDirectories(partial);
            content.write(partial);
            Manifest manifest = Manifest.seal(partial);
            publish(partial, directory);
            return manifest;
        } finally {
            delete(partial);
        }
    }

    /** Takes a directory away in one move, then deletes it. */
    static void remove(Path directory) throws IOException {
        Path partial = sibling(directory, PARTIAL);
        delete(partial);
        Files.move(directory, partial, StandardCopyOption.ATOMIC_MOVE);
        delete(partial);
    }

    /** Clears away what a killed process left in a folder. */
    static void recover(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        for (Path path : list(folder)) {
            String name = path.getFileName().toString();
            if (name.startsWith(".") && name.endsWith(OLD)) {
                Path original = folder.resolve(name.substring(1, name.length() - OLD.length()));
                if (!Files.exists(original)) {
                    Files.move(path, original, StandardCopyOption.ATOMIC_MOVE);
                }
            }
        }
        for (Path path : list(folder)) {
            String name = path.getFileName().toString();
            if (name.startsWith(".") && (name.endsWith(PARTIAL) || name.endsWith(OLD))) {
                delete(path);
            }
        }
    }

    /** Makes the names in a directory survive a power cut. Windows has no such call and needs none. */
    static void syncDirectory(Path directory) throws IOException {
        if (File.separatorChar == '/') {
            try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }

    static Path[] list(Path folder) throws IOException {
        try (Stream<Path> paths = Files.list(folder)) {
            return paths.sorted().toArray(Path[]::new);
        }
    }

    private static void publish(Path partial, Path directory) throws IOException {
        if (!Files.exists(directory)) {
            Files.move(partial, directory, StandardCopyOption.ATOMIC_MOVE);
        } else if (!Exchange.swap(partial, directory)) {
            Path old = sibling(directory, OLD);
            delete(old);
            Files.move(directory, old, StandardCopyOption.ATOMIC_MOVE);
            Files.move(partial, directory, StandardCopyOption.ATOMIC_MOVE);
            delete(old);
        }
        Path parent = directory.toAbsolutePath().getParent();
        syncDirectory(parent);
        syncDirectory(parent.getParent());
    }

    private static Path sibling(Path directory, String suffix) {
        return directory.resolveSibling("." + directory.getFileName() + suffix);
    }

    private static void delete(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            for (Path child : list(path)) {
                delete(child);
            }
        }
        Files.deleteIfExists(path);
    }

    /** {@code renameat2(RENAME_EXCHANGE)} of Linux, {@code renamex_np(RENAME_SWAP)} of macOS. */
    static final class Exchange {
        private static final int AT_FDCWD = -100;
        private static final int SWAP = 2;
        private static final Linker LINKER = Linker.nativeLinker();
        private static final Optional<MethodHandle> RENAMEAT2 = find(
                "renameat2",
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_INT,
                        ValueLayout.ADDRESS,
                        ValueLayout.JAVA_INT,
                        ValueLayout.ADDRESS,
                        ValueLayout.JAVA_INT));
        private static final Optional<MethodHandle> RENAMEX_NP = find(
                "renamex_np",
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));

        private static Optional<MethodHandle> find(String name, FunctionDescriptor descriptor) {
            return LINKER.defaultLookup().find(name).map(address -> LINKER.downcallHandle(address, descriptor));
        }

        /** Whether the two paths have changed places; false where the system or the file system cannot. */
        static boolean swap(Path a, Path b) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment from = arena.allocateFrom(a.toAbsolutePath().toString());
                MemorySegment to = arena.allocateFrom(b.toAbsolutePath().toString());
                if (RENAMEAT2.isPresent()) {
                    return (int) RENAMEAT2.get().invokeExact(AT_FDCWD, from, AT_FDCWD, to, SWAP) == 0;
                }
                return RENAMEX_NP.isPresent() && (int) RENAMEX_NP.get().invokeExact(from, to, SWAP) == 0;
            } catch (Throwable e) {
                throw new AssertionError("a system call with plain arguments throws nothing", e);
            }
        }
    }
}
