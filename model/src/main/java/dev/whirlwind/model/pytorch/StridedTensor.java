package dev.whirlwind.model.pytorch;

import java.util.List;

/**
 * A tensor as a view of a storage: element (i, j, ...) is the storage's element offset + i strides[0] + j strides[1] + ...
 * Several may share one storage, and be transposed or expanded.
 */
record StridedTensor(Storage storage, long offset, List<Long> shape, List<Long> strides) {
    /** Number of elements; the sizes were checked to be exact. */
    long elements() {
        return shape.stream().reduce(1L, Math::multiplyExact);
    }

    /** Whether the elements lie in the storage in row-major order, without gaps. */
    boolean contiguous() {
        long expected = 1;
        for (int i = shape.size() - 1; i >= 0; i--) {
            if (shape.get(i) != 1 && strides.get(i) != expected) {
                return false;
            }
            expected *= shape.get(i);
        }
        return true;
    }

    /** Goes over the elements in row-major order, from one of them on. */
    Cursor at(long first) {
        return new Cursor(first);
    }

    /** Where in the storage the next element lies. */
    final class Cursor {
        private final long[] sizes = shape.stream().mapToLong(Long::longValue).toArray();
        private final long[] steps = strides.stream().mapToLong(Long::longValue).toArray();
        private final long[] index = new long[sizes.length];
        private long place = offset;

        private Cursor(long first) {
            long rest = first;
            for (int i = sizes.length - 1; i >= 0 && rest > 0; i--) {
                index[i] = rest % sizes[i];
                place += index[i] * steps[i];
                rest /= sizes[i];
            }
        }

        long next() {
            long current = place;
            for (int i = sizes.length - 1; i >= 0; i--) {
                place += steps[i];
                if (++index[i] < sizes[i]) {
                    break;
                }
                place -= sizes[i] * steps[i];
                index[i] = 0;
            }
            return current;
        }
    }

    /**
     * Why this is no view of its storage.
     *
     * @return null if it is one
     */
    String problem() {
        if (shape.size() != strides.size()) {
            return "has " + shape.size() + " sizes, but " + strides.size() + " strides";
        }
        long last = offset;
        boolean empty = shape.contains(0L);
        try {
            for (int i = 0; i < shape.size(); i++) {
                if (shape.get(i) < 0 || strides.get(i) < 0) {
                    return "has a negative size or stride";
                }
                last = Math.addExact(last, Math.multiplyExact(Math.max(0, shape.get(i) - 1), strides.get(i)));
            }
            elements();
        } catch (ArithmeticException _) {
            return "has sizes or strides that are too large";
        }
        return offset < 0 || (!empty && last >= storage.elements())
                ? "reaches to element " + last + " of storage " + storage.key() + ", which has " + storage.elements()
                : null;
    }
}
