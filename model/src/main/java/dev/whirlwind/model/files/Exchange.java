package dev.whirlwind.model.files;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.Optional;

/** {@code renameat2(RENAME_EXCHANGE)} of Linux, {@code renamex_np(RENAME_SWAP)} of macOS. */
final class Exchange {
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

    private Exchange() {}

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
