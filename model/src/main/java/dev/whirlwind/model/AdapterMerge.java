package dev.whirlwind.model;

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
        MemorySegment arena = weights.buffer().segment();
        for (int layer : r.layers()) {
            engine.run(multiply, inputs, layer);
            MemorySegment ba = engine.host(product, (long) p.rows() * in);
            long weight = layout.parameter(r.kind()).offset(layer) + (long) p.firstRow() * in;
            long magnitudes =
                    p.lora().magnitudes() ? layout.parameter(r.magnitudes(part)).offset(layer) : -1;
            IntStream.range(0, p.rows()).parallel().forEach(row -> {
                long place = weight + (long) row * in;
                double squares = 0;
                for (int i = 0; i < in; i++) {
                    float added = p.lora().scale() * ba.getAtIndex(ValueLayout.JAVA_FLOAT, (long) row * in + i);
                    float value = arena.getAtIndex(ValueLayout.JAVA_FLOAT, place + i) + added;
                    arena.setAtIndex(ValueLayout.JAVA_FLOAT, place + i, value);
                    squares += (double) value * value;
                }
                if (magnitudes >= 0) {
                    double factor = arena.getAtIndex(ValueLayout.JAVA_FLOAT, magnitudes + row) / Math.sqrt(squares);
                    for (int i = 0; i < in; i++) {
                        float value = arena.getAtIndex(ValueLayout.JAVA_FLOAT, place + i);
                        arena.setAtIndex(ValueLayout.JAVA_FLOAT, place + i, (float) (value * factor));
                    }
                }
            });
        }
    }
}
