package dev.whirlwind.model;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/** Makes adapters part of a model's weights: W becomes W + scale B A, whose rows get their magnitudes where there are some. */
public final class AdapterMerge {
    private final Engine engine;
    private final Parameters weights;
    private final Tensor product;

    private AdapterMerge(Engine engine, Parameters weights) {
        this.engine = engine;
        this.weights = weights;
        long largest = weights.layout().lowRanks().stream()
                .mapToLong(r -> (long) r.inWidth() * r.outWidth())
                .max()
                .orElse(1);
        product = new Tensor(engine.allocate("adapters.product", largest), 0, 0);
    }

    /** Merges all adapters; the model without them then computes what it did with them, and they must not be used again. */
    public static void merge(Engine engine, Parameters weights) {
        AdapterMerge merge = new AdapterMerge(engine, weights);
        weights.download();
        for (LowRank r : weights.layout().lowRanks()) {
            for (int part = 0; part < r.parts().size(); part++) {
                merge.merge(r, part);
            }
        }
        weights.upload();
    }

    private void merge(LowRank r, int part) {
        LowRank.Part p = r.parts().get(part);
        int in = r.inWidth();
        int rank = p.lora().rank();
        Tensor a = weights.ofAdapter(r.a()).skip((long) p.firstRank() * in);
        Tensor b = weights.ofAdapter(r.b(part));
        Program multiply = ops -> ops.linearBackwardInput(product, b, a, p.rows(), in, rank);
        Inputs inputs = engine.inputs(1);
        ParameterLayout layout = weights.layout();
        Buffer arena = weights.buffer();
        for (int layer : r.layers()) {
            engine.run(multiply, inputs, layer);
            MemorySegment ba = engine.host(product, (long) p.rows() * in);
            long weight = layout.parameter(r.kind()).offset(layer) + (long) p.firstRow() * in;
            long magnitudes =
                    p.lora().magnitudes() ? layout.parameter(r.magnitudes(part)).offset(layer) : -1;
            IntStream.range(0, p.rows()).parallel().forEach(row -> {
                double magnitude = magnitudes >= 0 ? arena.at(magnitudes + row) : Double.NaN;
                merge(
                        arena,
                        weight + (long) row * in,
                        ba.asSlice(4L * row * in),
                        in,
                        p.lora().scale(),
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
