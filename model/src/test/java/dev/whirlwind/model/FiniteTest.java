package dev.whirlwind.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class FiniteTest {
    private record Floats(MemorySegment segment) implements Buffer {
        @Override
        public long length() {
            return segment.byteSize() / Float.BYTES;
        }
    }

    /** A tensor that is looked at in parts is told of as a whole. */
    @Test
    void partsAreCountedTogether() {
        try (Arena arena = Arena.ofConfined()) {
            Buffer buffer = new Floats(arena.allocate(Float.BYTES * 3_000_010L, 64));
            set(buffer, 10, -5e20f);
            assertThat(problem(buffer, 1e20f)).contains("tensor 'x' has values up to 5.0E20, beyond T's largest");
            assertThat(problem(buffer, 1e21f)).isEmpty();
            set(buffer, 9, Float.NaN);
            assertThat(problem(buffer, 1e21f)).isEmpty();
            set(buffer, 12, Float.NaN);
            set(buffer, 3_000_009, Float.NEGATIVE_INFINITY);
            assertThat(problem(buffer, 1e20f)).contains("tensor 'x' has 2 of 3000000 values that are NaN or infinite");
        }
    }

    private static void set(Buffer buffer, long place, float value) {
        buffer.segment().setAtIndex(ValueLayout.JAVA_FLOAT, place, value);
    }

    private static String problem(Buffer buffer, float limit) {
        return Finite.of(buffer, 10, 3_000_000).problem("x", limit, "T").orElse("");
    }
}
