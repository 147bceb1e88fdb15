package dev.whirlwind.tornado;

import dev.whirlwind.model.UserException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * What TornadoVM's native libraries write to standard output. They say there that a driver's call failed, the launch of a
 * kernel among them, and go on as if it had not; and that a driver is missing, where scripts expect one JSON object.
 */
final class NativeOutput {
    /**
     * A call that computes or copies has failed, as in {@code [TornadoVM-OCL-JNI] ERROR : clEnqueueNDRangeKernel ->
     * Returned: -54}, or the driver says so itself, or TornadoVM takes other groups than a kernel was written for. Asking
     * what a device has, or draws, and pinning the host's memory may fail and harm nothing.
     */
    private static final Pattern FAILURE =
            Pattern.compile("\\[.*ERROR.*\\b(cl(?!Get)|cu(?!DeviceGet|MemHost|MemAllocHost|Occupancy))[A-Z].*"
                    + "|.*error executing CL_COMMAND_.*|.*changed the user-defined local .*");

    /** It says so of every kernel whose grid we choose; and of downloads, once a graph was profiled. */
    private static final Pattern HARMLESS =
            Pattern.compile(".*The loop bounds will be configured by the GridScheduler.*|Enable the profiler with: .*");

    /** Without these calls, on Windows, everything is written where it is written. */
    private static final boolean POSIX =
            Linker.nativeLinker().defaultLookup().find("dup2").isPresent();

    private static final Map<String, MethodHandle> CALLS = new ConcurrentHashMap<>();
    private static NativeOutput standard;

    private final int file;
    private final RandomAccessFile written;
    private int kept;
    private long read;

    private NativeOutput() {
        try (Arena arena = Arena.ofConfined()) {
            Path path = Files.createTempFile("whirlwind", null);
            int writeOnly = 1;
            file = call("open", arena.allocateFrom(path.toString()), writeOnly);
            written = new RandomAccessFile(path.toFile(), "r");
            Files.delete(path);
        } catch (IOException e) {
            throw new UserException(
                    "no temporary file can be made in " + System.getProperty("java.io.tmpdir") + " (" + e.getMessage()
                            + "); free some space there",
                    e);
        }
    }

    /** What an action gives, while nothing reaches standard output. */
    static <T> T silenced(Supplier<T> action) {
        if (!POSIX) {
            return action.get();
        }
        synchronized (NativeOutput.class) {
            divert();
            try {
                return action.get();
            } finally {
                standard.restore();
            }
        }
    }

    /**
     * Runs an action and returns the lines in which native code reported failures meanwhile. All else that was written,
     * by any thread, goes to standard error: it is no result.
     */
    static List<String> failures(Runnable action) {
        List<String> failures = new ArrayList<>();
        if (!POSIX) {
            action.run();
            return failures;
        }
        synchronized (NativeOutput.class) {
            divert();
            try {
                action.run();
            } finally {
                String text = standard.restore();
                StringBuilder rest = new StringBuilder();
                for (String line : text.isEmpty() ? new String[0] : text.split("(?<=\n)", -1)) {
                    if (FAILURE.matcher(line.strip()).matches()) {
                        failures.add(line.strip());
                    } else if (!HARMLESS.matcher(line.strip()).matches()) {
                        rest.append(line);
                    }
                }
                if (!rest.isEmpty()) {
                    write(rest.toString());
                }
            }
        }
        return failures;
    }

    private static void divert() {
        if (standard == null) {
            standard = new NativeOutput();
        }
        System.out.flush();
        standard.kept = call("dup", 1);
        call("dup2", standard.file, 1);
    }

    /** Everything that came since, each byte a character. */
    private String restore() {
        System.out.flush();
        call("fflush", MemorySegment.NULL);
        call("dup2", kept, 1);
        call("close", kept);
        try {
            byte[] bytes = new byte[(int) (written.length() - read)];
            written.seek(read);
            written.readFully(bytes);
            read += bytes.length;
            return new String(bytes, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @SuppressWarnings("resource") // Closing it would close standard error.
    private static void write(String text) {
        try {
            new FileOutputStream(FileDescriptor.err).write(text.getBytes(StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            throw new UncheckedIOException("standard error cannot be written", e);
        }
    }

    private static int call(String name, Object... arguments) {
        MethodHandle function = CALLS.computeIfAbsent(name, key -> {
            MemoryLayout[] layouts = new MemoryLayout[arguments.length];
            for (int i = 0; i < arguments.length; i++) {
                layouts[i] = arguments[i] instanceof Integer ? ValueLayout.JAVA_INT : ValueLayout.ADDRESS;
            }
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(
                    linker.defaultLookup().findOrThrow(key), FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts));
        });
        try {
            return (int) function.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new AssertionError("a system call with plain arguments throws nothing", e);
        }
    }
}
