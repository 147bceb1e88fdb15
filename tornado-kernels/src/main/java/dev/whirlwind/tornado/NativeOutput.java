package dev.whirlwind.tornado;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.function.Supplier;

/**
 * TornadoVM's native libraries report a missing driver on standard output, where scripts expect one JSON object. It is said
 * properly by whoever asked, so nothing is lost.
 */
final class NativeOutput {
    private static final int STANDARD_OUTPUT = 1;
    private static final int WRITE_ONLY = 1;

    private NativeOutput() {}

    /** What an action gives, while nothing reaches standard output; where the system has no POSIX calls, it may. */
    static <T> T silenced(Supplier<T> action) {
        Linker linker = Linker.nativeLinker();
        if (linker.defaultLookup().find("dup2").isEmpty()) {
            return action.get();
        }
        System.out.flush();
        int kept = (int) call(linker, "dup", STANDARD_OUTPUT);
        try (Arena arena = Arena.ofConfined()) {
            int nothing = (int) call(linker, "open", arena.allocateFrom("/dev/null"), WRITE_ONLY);
            call(linker, "dup2", nothing, STANDARD_OUTPUT);
            call(linker, "close", nothing);
            return action.get();
        } finally {
            call(linker, "fflush", MemorySegment.NULL);
            call(linker, "dup2", kept, STANDARD_OUTPUT);
            call(linker, "close", kept);
        }
    }

    private static Object call(Linker linker, String name, Object... arguments) {
        ValueLayout[] layouts = new ValueLayout[arguments.length];
        for (int i = 0; i < arguments.length; i++) {
            layouts[i] = arguments[i] instanceof Integer ? ValueLayout.JAVA_INT : ValueLayout.ADDRESS;
        }
        MethodHandle function = linker.downcallHandle(
                linker.defaultLookup().findOrThrow(name), FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts));
        try {
            return function.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new AssertionError("a system call with plain arguments throws nothing", e);
        }
    }
}
