package dev.whirlwind.cpu;

import dev.whirlwind.model.UserException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * How kernels address floats: by the absolute native address of a byte, a {@code long}, as
 * {@link MemorySegment#address()} gives it; element i of a tensor at {@code a} is at {@code a + 4 * i}. All loads and
 * stores go through one constant segment that spans the whole address space, so the compiler folds the check for
 * liveness away, and a kernel keeps one register for each operand. The price is that a wrong address is not an exception
 * but a crash or a silent overwrite: the engine checks sizes where it enters a kernel, and keeps the memory alive while
 * kernels run.
 *
 * <p>The compiler stops inlining for sure at 18,000 nodes in a method, those of methods inlined into it included; a call
 * that takes or gives a vector then turns it into an object, in some runs. A multiply-add takes 420 nodes, a load or store
 * here 450, of a Java array 265; a vector made of a float here 760, of an array 107. So kernels are short, most of them one
 * loop; they call the JDK's methods directly rather than helpers of our own, which may not be inlined; and those that hold
 * most work on arrays. All float vectors have one width: code that runs with a second one,
 * however rarely, blurs the compiler's profile of the JDK's methods, and it then boxes a vector here and there, in the
 * hottest loop as well.
 *
 * <p>Before a loop, bounds checks of its vectors are compiled into arithmetic that costs as much as several iterations.
 * Against the whole address space they prove nothing, so the launcher switches them off (VECTOR_ACCESS_OOB_CHECK=0); this
 * module's tests run with them, but at 128 bits.
 */
final class Memory {
    /** Forces the vectors' width for tests: 512, 256 or 128. */
    static final String BITS_PROPERTY = "whirlwind.vector.bits";

    /** The widest vectors of this machine, unless {@link #BITS_PROPERTY} says otherwise. */
    static final VectorSpecies<Float> SPECIES = species(System.getProperty(BITS_PROPERTY));

    /** Floats in a vector. */
    static final int LANES = SPECIES.length();

    /** Allocations start on a boundary of a cache line and of the widest vector. */
    static final long ALIGNMENT = 64;

    /** The whole address space. */
    static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private Memory() {}

    /** New zeroed memory for {@code floats}, aligned to {@link #ALIGNMENT}; it lives as long as the arena. */
    static MemorySegment allocate(Arena arena, long floats) {
        return arena.allocate(Math.multiplyExact(floats, (long) Float.BYTES), ALIGNMENT);
    }

    static float get(long address) {
        return ALL.get(ValueLayout.JAVA_FLOAT_UNALIGNED, address);
    }

    static void set(long address, float value) {
        ALL.set(ValueLayout.JAVA_FLOAT_UNALIGNED, address, value);
    }

    /** The mask of the first {@code count} lanes, for the end of a row; all lanes for more, none for less than 1. */
    static VectorMask<Float> firstLanes(long count) {
        return FIRST_LANES.get(Math.clamp(count, 0, LANES));
    }

    /** Made once: where the compiler does not inline their making, it would allocate a mask each time. */
    private static final List<VectorMask<Float>> FIRST_LANES = IntStream.rangeClosed(0, LANES)
            .mapToObj(count -> SPECIES.indexInRange(0, count))
            .toList();

    /** Copies floats; the ranges may overlap. */
    static void copy(long from, long to, long floats) {
        MemorySegment.copy(ALL, from, ALL, to, floats * Float.BYTES);
    }

    /** Copies floats into a part of an array. */
    static void copy(long from, float[] to, int at, int floats) {
        MemorySegment.copy(ALL, ValueLayout.JAVA_FLOAT_UNALIGNED, from, to, at, floats);
    }

    /** Copies the first floats of an array. */
    static void copy(float[] from, long to, int floats) {
        MemorySegment.copy(from, 0, ALL, ValueLayout.JAVA_FLOAT_UNALIGNED, to, floats);
    }

    /** Fills with zeros. */
    static void zero(long address, long floats) {
        ALL.asSlice(address, floats * Float.BYTES).fill((byte) 0);
    }

    private static VectorSpecies<Float> species(String bits) {
        return switch (bits) {
            case null -> FloatVector.SPECIES_PREFERRED;
            case "512" -> FloatVector.SPECIES_512;
            case "256" -> FloatVector.SPECIES_256;
            case "128" -> FloatVector.SPECIES_128;
            default ->
                throw new UserException(
                        "-D" + BITS_PROPERTY + "=" + bits + ": no such vector width; use 512, 256 or 128");
        };
    }
}
