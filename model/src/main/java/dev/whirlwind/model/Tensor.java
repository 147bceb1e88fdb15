package dev.whirlwind.model;

/**
 * Where an operation finds its floats: a place in a buffer that may move with the layer a program is run for.
 *
 * @param buffer the memory it lies in
 * @param offset first element, in floats, for layer 0
 * @param stride floats from one layer's slice to the next; 0 when all layers share it
 */
public record Tensor(Buffer buffer, long offset, long stride) {
    /** First element for a layer, in floats from the start of the buffer. */
    public long offset(int layer) {
        return offset + layer * stride;
    }

    /** The next layer's slice, as seen from the current layer. */
    public Tensor next() {
        return new Tensor(buffer, offset + stride, stride);
    }

    /** One layer's slice, whatever layer the program runs for. */
    public Tensor at(int layer) {
        return new Tensor(buffer, offset(layer), 0);
    }

    /** The part that starts {@code elements} floats further on in every slice. */
    public Tensor skip(long elements) {
        return new Tensor(buffer, offset + elements, stride);
    }
}
