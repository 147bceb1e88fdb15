package dev.whirlwind.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Makes adapters part of a model's weights: W becomes W + scale B A, whose rows get their magnitudes where there are some. The
 * product is held whole, of one module at a time.
 */
public final class AdapterMerge {
    private final Engine engine;
    private final Parameters weights;
    private final Tensor product;
    private final Inputs inputs;
    private final List<Part> parts = new ArrayList<>();

    private record Part(LowRank lowRank, int number, Program multiply) {
        LowRank.Part of() {
            return lowRank.parts().get(number);
        }
    }

    /**
     * Allocates the product.
     *
     * @param adapters whose A and B are multiplied: those of the weights, or others of the same shapes
     */
    public AdapterMerge(Engine engine, Parameters weights, Parameters adapters) {
        this.engine = engine;
        this.weights = weights;
        inputs = engine.inputs(1);
        long largest = weights.layout().lowRanks().stream()
                .flatMap(r -> r.parts().stream().map(part -> (long) r.inWidth() * part.rows()))
                .max(Long::compare)
                .orElse(1L);
        product = new Tensor(engine.allocate("adapters.product", largest), 0, 0);
        for (LowRank r : weights.layout().lowRanks()) {
            for (int number = 0; number < r.parts().size(); number++) {
                LowRank.Part p = r.parts().get(number);
                Tensor a = adapters.ofAdapter(r.a()).skip((long) p.firstRank() * r.inWidth());
                Tensor b = adapters.ofAdapter(r.b(number));
                parts.add(new Part(
                        r,
                        number,
                        ops -> ops.linearBackwardInput(
                                product, b, a, p.rows(), r.inWidth(), p.lora().rank())));
            }
        }
    }

    /** Merges all adapters; the model without them then computes what it did with them, and they must not be used again. */
    public static void merge(Engine engine, Parameters weights) {
        new AdapterMerge(engine, weights, weights).add();
    }

    /** Adds the products to the weights. */
    public void add() {
        all(1);
    }

    /** Takes the products from the weights, and leaves magnitudes alone. */
    public void subtract() {
        all(-1);
    }

    private void all(int sign) {
        weights.download();
        parts.forEach(part -> merge(part, sign));
        weights.upload();
    }

    private void merge(Part part, int sign) {
        LowRank r = part.lowRank();
        LowRank.Part p = part.of();
        int in = r.inWidth();
        ParameterLayout layout = weights.layout();
        Buffer arena = weights.buffer();
        for (int layer : r.layers()) {
            engine.run(part.multiply(), inputs, layer);
            MemorySegment ba = engine.host(product, (long) p.rows() * in);
            long weight = layout.parameter(r.kind()).offset(layer) + (long) p.firstRow() * in;
            boolean scaled = p.lora().magnitudes() && sign > 0;
            long magnitudes =
                    scaled ? layout.parameter(r.magnitudes(part.number())).offset(layer) : -1;
            IntStream.range(0, p.rows()).parallel().forEach(row -> {
                double magnitude = scaled ? arena.at(magnitudes + row) : Double.NaN;
                merge(
                        arena,
                        weight + (long) row * in,
                        ba.asSlice(4L * row * in),
                        in,
                        sign * p.lora().scale(),
                        magnitude);
            });
        }
    }

    /** Adds to a row of a weight; a magnitude that is not a number stands for none. */
    private static void merge(Buffer arena, long row, MemorySegment ba, int in, float scale, double magnitude) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment w = scratch.allocate(4L * in, 64);
            arena.get(row, w, in);
            double squares = 0;
            for (int i = 0; i < in; i++) {
                float value =
                        w.getAtIndex(ValueLayout.JAVA_FLOAT, i) + scale * ba.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                w.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
                squares += (double) value * value;
            }
            double factor = magnitude / Math.sqrt(squares);
            for (int i = 0; !Double.isNaN(magnitude) && i < in; i++) {
                float value = w.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                w.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (value * factor));
            }
            arena.put(row, w, in);
        }
    }
}
