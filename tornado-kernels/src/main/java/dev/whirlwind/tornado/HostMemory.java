package dev.whirlwind.tornado;

import dev.whirlwind.model.UserException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Locale;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * The host's side of an engine's arrays. TornadoVM wants one for each array on the device, though the host never looks at
 * most of them (activations, gradients, moments): {@code calloc} gives pages that take no memory until they are written,
 * where Java's own arenas write zeros to all of them, and it knows no limit but the machine's.
 */
final class HostMemory implements AutoCloseable {
    private static final MethodHandle CALLOC = function(
            "calloc", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = function("free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    private static final long HEADER = TornadoNativeArray.ARRAY_HEADER;

    private final Arena arena = Arena.ofShared();

    private static MethodHandle function(String name, FunctionDescriptor type) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
    }

    /** Zeros, until this is closed. */
    FloatArray floats(String name, int length) {
        return FloatArray.fromSegmentShallow(zeros(name, length));
    }

    /** The same. */
    IntArray ints(String name, int length) {
        return IntArray.fromSegmentShallow(zeros(name, length));
    }

    /** Room for an array's header and so many numbers. */
    MemorySegment zeros(String name, long length) {
        long bytes = HEADER + length * Integer.BYTES;
        MemorySegment memory = calloc(bytes);
        if (memory.equals(MemorySegment.NULL)) {
            throw new UserException(String.format(
                    Locale.ROOT,
                    "the machine has too little memory left for %s (%.1f GiB); choose a smaller batch or model",
                    name,
                    bytes / 0x1p30));
        }
        return memory.reinterpret(bytes, arena, HostMemory::free);
    }

    /**
     * Some of the numbers behind a header as an array of their own. Its header lies over the numbers before it: TornadoVM writes
     * it when an array is made, here over zeros, and from then on only ever copies it to the device.
     */
    static FloatArray floats(MemorySegment zeros, long first, long length) {
        MemorySegment part = zeros.asSlice(first * Float.BYTES, HEADER + length * Float.BYTES);
        FloatArray array = FloatArray.fromSegmentShallow(part);
        part.asSlice(0, HEADER).fill((byte) 0);
        return array;
    }

    private static MemorySegment calloc(long bytes) {
        try {
            return (MemorySegment) CALLOC.invokeExact(1L, bytes);
        } catch (Throwable e) {
            throw new AssertionError("a system call with plain arguments throws nothing", e);
        }
    }

    private static void free(MemorySegment memory) {
        try {
            FREE.invokeExact(memory);
        } catch (Throwable e) {
            throw new AssertionError("a system call with plain arguments throws nothing", e);
        }
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
