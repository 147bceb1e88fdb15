package dev.whirlwind.cli;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** What the launcher tells of where Java's output goes. */
final class Terminal {
    private static final int STANDARD_ERROR = 2;

    private Terminal() {}

    /** Whether standard error is a terminal that can redraw a line. */
    static boolean interactive() {
        return Boolean.getBoolean("whirlwind.terminal");
    }

    /**
     * The launcher lets a filter read what Java writes to standard error while it starts, as nothing else can silence
     * the JVM's line about incubator modules. It keeps the real standard error under another file descriptor, which takes
     * its old number back here.
     */
    static void takeBackStandardError() {
        Integer kept = Integer.getInteger("whirlwind.stderr");
        if (kept == null) {
            return;
        }
        Linker linker = Linker.nativeLinker();
        linker.defaultLookup().find("dup2").ifPresent(dup2 -> {
            MethodHandle handle = linker.downcallHandle(
                    dup2, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
            try {
                int result = (int) handle.invokeExact(kept.intValue(), STANDARD_ERROR);
                if (result < 0) {
                    System.err.println("whirlwind: standard error stays filtered");
                }
            } catch (Throwable e) {
                throw new AssertionError("a system call with plain arguments throws nothing", e);
            }
        });
    }
}
