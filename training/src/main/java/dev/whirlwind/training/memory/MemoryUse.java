package dev.whirlwind.training.memory;

import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Bytes of memory by what they are for.
 *
 * @param parts without those that are 0
 */
public record MemoryUse(SortedMap<Purpose, Long> parts) {
    /** More than any machine has, and far from overflow when something is added. */
    static final long TOO_MUCH = Long.MAX_VALUE / 4;

    public static final MemoryUse NONE = new MemoryUse(Collections.emptySortedMap());

    public MemoryUse {
        parts = Collections.unmodifiableSortedMap(new TreeMap<>(parts));
    }

    public static MemoryUse of(Purpose purpose, long bytes) {
        return bytes == 0 ? NONE : new MemoryUse(new TreeMap<>(Map.of(purpose, bytes)));
    }

    /** Of one purpose. */
    public long of(Purpose purpose) {
        return parts.getOrDefault(purpose, 0L);
    }

    public long total() {
        return parts.values().stream().reduce(0L, MemoryUse::sum);
    }

    public MemoryUse plus(MemoryUse other) {
        Map<Purpose, Long> sums = new EnumMap<>(Purpose.class);
        sums.putAll(parts);
        other.parts.forEach((purpose, bytes) -> sums.merge(purpose, bytes, MemoryUse::sum));
        return new MemoryUse(new TreeMap<>(sums));
    }

    /** The same for one purpose. */
    public MemoryUse all(Purpose purpose) {
        return of(purpose, total());
    }

    private static long sum(long a, long b) {
        return Math.min(TOO_MUCH, a + b);
    }
}
