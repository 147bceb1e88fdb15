package dev.whirlwind.cli.terminal;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** What the launcher tells of where Java's output goes. */
public final class Terminal {
    private static final int STANDARD_OUTPUT = 1;
    private static final int STANDARD_ERROR = 2;
    private static final int USUAL_WIDTH = 80;

    private Terminal() {}

    /** Whether standard error is a terminal that can redraw a line. */
    public static boolean interactive() {
        return Boolean.getBoolean("whirlwind.terminal") && !"dumb".equals(System.getenv("TERM"));
    }

    /** Whether results may have colours: standard output is a terminal, and NO_COLOR (no-color.org) does not ask for none. */
    public static boolean colours() {
        String none = System.getenv("NO_COLOR");
        return (none == null || none.isEmpty())
                && !"dumb".equals(System.getenv("TERM"))
                && Width.of(STANDARD_OUTPUT) != null;
    }

    /** Columns of the terminal that standard error is, as it is now. */
    static int width() {
        Integer columns = Width.of(STANDARD_ERROR);
        return columns == null || columns == 0 ? USUAL_WIDTH : columns;
    }

    /**
     * {@code ioctl(file, TIOCGWINSZ, struct winsize *)}. Own code, as libraries that know a terminal's width take its
     * signals over (JLine sets SIGINT back to end the process, and with it the run).
     */
    private static final class Width {
        private static final long REQUEST = System.getProperty("os.name").startsWith("Mac") ? 0x40087468L : 0x5413L;
        private static final MethodHandle IOCTL = ioctl();

        private static MethodHandle ioctl() {
            Linker linker = Linker.nativeLinker();
            return linker.defaultLookup()
                    .find("ioctl")
                    .map(address -> linker.downcallHandle(
                            address,
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.ADDRESS),
                            Linker.Option.firstVariadicArg(2)))
                    .orElse(null);
        }

        /** Null where the file is no terminal, or it cannot be told. */
        static Integer of(int file) {
            if (IOCTL == null) {
                return null;
            }
            try (Arena arena = Arena.ofConfined()) {
                // Rows, columns, and two sizes in pixels.
                MemorySegment size = arena.allocate(ValueLayout.JAVA_SHORT, 4);
                int result = (int) IOCTL.invokeExact(file, REQUEST, size);
                return result < 0 ? null : Short.toUnsignedInt(size.getAtIndex(ValueLayout.JAVA_SHORT, 1));
            } catch (Throwable e) {
                throw new AssertionError("a system call with plain arguments throws nothing", e);
            }
        }
    }

    /**
     * The launcher lets a filter read what Java writes to standard error while it starts, as nothing else can silence
     * the JVM's line about incubator modules. It keeps the real standard error under another file descriptor, which takes
     * its old number back here.
     */
    public static void takeBackStandardError() {
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
