package dev.whirlwind.model;

import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.safetensors.FloatSource;
import dev.whirlwind.model.safetensors.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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

        /** Where the module's weight lies. */
        long place(Parameters weights, int layer) {
            return weights.layout().parameter(lowRank.kind()).offset(layer)
                    + (long) of().firstRow() * lowRank.inWidth();
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
        for (Part part : parts) {
            int in = part.lowRank().inWidth();
            for (int layer : part.lowRank().layers()) {
                MemorySegment merged = merged(part, layer, sign);
                weights.buffer()
                        .put(
                                part.place(weights, layer),
                                merged,
                                (long) part.of().rows() * in);
            }
        }
        weights.upload();
    }

    /** The tensors that {@link #add} and the training of the adapters change. */
    public List<CheckpointTensor> changed() {
        ParameterLayout layout = weights.layout();
        return layout.checkpointTensors().stream()
                .filter(tensor -> layout.adapter().has(tensor)
                        || layout.adapter().modules().containsKey(Adapter.module(tensor.name())))
                .toList();
    }

    /** The model's tensors as {@link #add} would make them, to be written one after the other; the weights stay as they are. */
    public List<SafetensorsWriter.Entry> entries(DType dtype) {
        weights.download();
        Map<Long, FloatSource> merged = new HashMap<>();
        for (Part part : parts) {
            for (int layer : part.lowRank().layers()) {
                merged.put(part.place(weights, layer), source(part, layer));
            }
        }
        return weights.layout().modelTensors().stream()
                .map(tensor -> {
                    FloatSource source = merged.get(tensor.offset());
                    return source == null
                            ? HuggingFace.entries(List.of(tensor), weights.buffer(), "", dtype)
                                    .getFirst()
                            : new SafetensorsWriter.Entry(
                                    tensor.name(), dtype, tensor.shape(), checked(tensor, source, dtype));
                })
                .toList();
    }

    /** A module's numbers as the arena would have them. */
    private FloatSource source(Part part, int layer) {
        return new FloatSource() {
            private MemorySegment merged;

            @Override
            public void read(long first, int count, MemorySegment chunk) {
                if (first == 0 || merged == null) {
                    merged = merged(part, layer, 1);
                }
                MemorySegment.copy(merged, Float.BYTES * first, chunk, 0, (long) Float.BYTES * count);
            }
        };
    }

    private FloatSource checked(CheckpointTensor tensor, FloatSource source, DType dtype) {
        return (first, count, chunk) -> {
            if (tensor.transposed()) {
                for (int k = 0; k < count; k++) {
                    source.read(tensor.place(first + k) - tensor.offset(), 1, chunk.asSlice((long) Float.BYTES * k));
                }
            } else {
                source.read(first, count, chunk);
            }
            Finite seen = new Finite();
            seen.add(chunk, count);
            seen.problem(tensor.name(), dtype.largest(), dtype.name()).ifPresent(problem -> {
                throw new UserException("not saved as " + dtype + ": " + problem + "; save as F32");
            });
        };
    }

    /** A module's weight with its product added or taken away, [rows, in] floats that are valid until the next. */
    private MemorySegment merged(Part part, int layer, int sign) {
        LowRank r = part.lowRank();
        LowRank.Part p = part.of();
        int in = r.inWidth();
        Buffer arena = weights.buffer();
        engine.run(part.multiply(), inputs, layer);
        MemorySegment ba = engine.host(product, (long) p.rows() * in);
        long weight = part.place(weights, layer);
        boolean scaled = p.lora().magnitudes() && sign > 0;
        long magnitudes =
                scaled ? weights.layout().parameter(r.magnitudes(part.number())).offset(layer) : -1;
        IntStream.range(0, p.rows()).parallel().forEach(row -> {
            double magnitude = scaled ? arena.at(magnitudes + row) : Double.NaN;
            MemorySegment ofRow = ba.asSlice((long) Float.BYTES * row * in, (long) Float.BYTES * in);
            merge(arena, weight + (long) row * in, ofRow, in, sign * p.lora().scale(), magnitude);
        });
        return ba;
    }

    /** Makes a row of the product one of a weight with it; a magnitude that is not a number stands for none. */
    private static void merge(Buffer arena, long row, MemorySegment ba, int in, float scale, double magnitude) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment w = scratch.allocate(4L * in, 64);
            arena.get(row, w, in);
            double squares = 0;
            for (int i = 0; i < in; i++) {
                float value =
                        w.getAtIndex(ValueLayout.JAVA_FLOAT, i) + scale * ba.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                ba.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
                squares += (double) value * value;
            }
            double factor = magnitude / Math.sqrt(squares);
            for (int i = 0; !Double.isNaN(magnitude) && i < in; i++) {
                float value = ba.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                ba.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (value * factor));
            }
        }
    }
}
