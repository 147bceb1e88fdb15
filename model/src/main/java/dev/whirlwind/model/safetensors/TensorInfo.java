package dev.whirlwind.model.safetensors;

import java.util.List;

/**
 * What a safetensors header says about one tensor.
 *
 * @param shape its dimensions, outermost first; empty for a scalar
 * @param begin its first byte, counted from the end of the header
 * @param end the byte after its last
 */
public record TensorInfo(String name, DType dtype, List<Long> shape, long begin, long end) {
    public TensorInfo {
        shape = List.copyOf(shape);
    }

    /** Number of elements. */
    public long elements() {
        return elements(shape);
    }

    static long elements(List<Long> shape) {
        long elements = 1;
        for (long dimension : shape) {
            elements = Math.multiplyExact(elements, dimension);
        }
        return elements;
    }
}
