package dev.whirlwind.model;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.IntSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Where each parameter lies in one contiguous arena of floats; weights, gradients and moments share it. All
 * layers' parameters of one kind follow each other, [layers, rows, columns]. Parameters that weight decay acts on (two
 * or more dimensions) come first. Queries, keys and values are one matrix, and so are gate and up: their rows just
 * follow each other, so a checkpoint's separate tensors are ranges of them.
 */
public final class ParameterLayout {
    /** Slices start at multiples of 16 floats, 64 bytes: a cache line, and a 512-bit vector. */
    private static final int ALIGNMENT = 16;

    /**
     * One kind of parameter.
     *
     * @param firstLayer the layer of the first slice; 0 for what is not part of a layer
     * @param layers number of slices; 1 for what is not part of a layer
     * @param rows outputs of a linear weight; 1 for a vector
     * @param columns inputs of a linear weight; length of a vector
     * @param decayed whether weight decay acts on it
     * @param offset first float in the arena
     * @param stride floats from one layer to the next; 0 for what is not part of a layer
     */
    public record Parameter(
            String name, int firstLayer, int layers, int rows, int columns, boolean decayed, long offset, long stride) {
        /** Floats of one layer's slice. */
        public long size() {
            return (long) rows * columns;
        }

        /** Whether every layer has one. */
        public boolean perLayer() {
            return stride > 0;
        }

        /** First float of a layer's slice. */
        public long offset(int layer) {
            return offset + (layer - firstLayer) * stride;
        }

        boolean hasLayer(int layer) {
            return layer >= firstLayer && layer < firstLayer + layers;
        }

        /** Its place in an arena. */
        public Tensor in(Buffer arena) {
            return new Tensor(arena, offset(0), stride);
        }
    }

    private final ModelConfig config;
    private final Predicate<String> chosen;
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();
    private final List<CheckpointTensor> tensors;

    /** The same by their places. */
    private final NavigableMap<Long, CheckpointTensor> places;

    private final List<LowRank> lowRanks;
    private final Adapter adapter;
    private long length;
    private long decayedLength;

    /** Of all parameters. */
    public ParameterLayout(ModelConfig config) {
        this(config, Adapter.NONE);
    }

    /** The same with adapters, which lie behind the model's parameters and change no place of them. */
    public ParameterLayout(ModelConfig config, Adapter adapter) {
        this.config = config;
        this.adapter = adapter;
        chosen = _ -> true;
        place(config);
        List<CheckpointTensor> ofModel = CheckpointTensor.of(this);
        List<CheckpointTensor> all = new ArrayList<>(ofModel);
        lowRanks = adapters(places(ofModel), all);
        tensors = List.copyOf(all);
        places = places(tensors);
    }

    private ParameterLayout(ParameterLayout whole, Predicate<String> chosen) {
        config = whole.config;
        adapter = whole.adapter;
        lowRanks = whole.lowRanks;
        this.chosen = chosen;
        Map<String, CheckpointTensor> moved = new HashMap<>();
        for (boolean decayed : new boolean[] {true, false}) {
            for (Parameter p : whole.parameters()) {
                if (p.decayed() == decayed) {
                    choose(whole, p, moved);
                }
            }
            decayedLength = decayed ? length : decayedLength;
        }
        tensors = whole.tensors.stream()
                .map(tensor -> moved.get(tensor.name()))
                .filter(Objects::nonNull)
                .toList();
        places = places(tensors);
    }

    /** Those layers of a kind from the first that has a tensor that is chosen to the last. */
    private void choose(ParameterLayout whole, Parameter p, Map<String, CheckpointTensor> moved) {
        IntSummaryStatistics layers = IntStream.range(p.firstLayer(), p.firstLayer() + p.layers())
                .filter(layer -> whole.within(p, layer).stream().anyMatch(tensor -> chosen.test(tensor.name())))
                .summaryStatistics();
        if (layers.getCount() == 0) {
            return;
        }
        int count = layers.getMax() - layers.getMin() + 1;
        Parameter kept =
                new Parameter(p.name(), layers.getMin(), count, p.rows(), p.columns(), p.decayed(), length, p.stride());
        parameters.put(p.name(), kept);
        length += count * align(p.size());
        for (int layer = layers.getMin(); layer <= layers.getMax(); layer++) {
            for (CheckpointTensor tensor : whole.within(p, layer)) {
                moved.put(tensor.name(), tensor.at(tensor.offset() - p.offset(layer) + kept.offset(layer)));
            }
        }
    }

    /** Places adapters, and adds their tensors to {@code all}; those of the model are known. */
    private List<LowRank> adapters(NavigableMap<Long, CheckpointTensor> ofModel, List<CheckpointTensor> all) {
        List<LowRank> placed = new ArrayList<>();
        for (Parameter p : parameters()) {
            Map<List<LowRank.Part>, List<Integer>> layers = new LinkedHashMap<>();
            for (int layer = 0; p.decayed() && p.perLayer() && layer < p.layers(); layer++) {
                List<LowRank.Part> parts = adapted(p, within(ofModel, p, layer), layer);
                if (!parts.isEmpty()) {
                    layers.computeIfAbsent(parts, _ -> new ArrayList<>()).add(layer);
                }
            }
            layers.forEach((parts, of) -> placed.add(
                    new LowRank(p.name(), p.name() + "." + placed.size(), p.columns(), p.rows(), parts, of)));
        }
        placed.forEach(lowRank -> place(lowRank, ofModel, all));
        return List.copyOf(placed);
    }

    private List<LowRank.Part> adapted(Parameter p, Collection<CheckpointTensor> modules, int layer) {
        List<LowRank.Part> parts = new ArrayList<>();
        int rank = 0;
        for (CheckpointTensor tensor : modules) {
            Adapter.Lora lora = adapter.modules().get(Adapter.module(tensor.name()));
            if (lora != null) {
                int first = Math.toIntExact((tensor.offset() - p.offset(layer)) / p.columns());
                parts.add(new LowRank.Part(first, Math.toIntExact(tensor.size() / p.columns()), rank, lora));
                rank += lora.rank();
            }
        }
        return parts;
    }

    private void place(LowRank r, NavigableMap<Long, CheckpointTensor> ofModel, List<CheckpointTensor> all) {
        Parameter a = append(r.a(), r, r.rank(), r.inWidth(), true);
        for (int part = 0; part < r.parts().size(); part++) {
            LowRank.Part of = r.parts().get(part);
            int rank = of.lora().rank();
            Parameter b = append(r.b(part), r, of.rows(), rank, true);
            Parameter m = of.lora().magnitudes() ? append(r.magnitudes(part), r, 1, of.rows(), false) : null;
            Parameter p = parameters.get(r.kind());
            for (int layer : r.layers()) {
                long weight = p.offset(layer) + (long) of.firstRow() * p.columns();
                String module = CheckpointTensor.ADAPTER
                        + Adapter.module(ofModel.get(weight).name());
                long aPlace = a.offset(layer) + (long) of.firstRank() * r.inWidth();
                all.add(new CheckpointTensor(
                        module + ".lora_A.weight", List.of((long) rank, (long) r.inWidth()), aPlace, false));
                all.add(new CheckpointTensor(
                        module + ".lora_B.weight", List.of((long) of.rows(), (long) rank), b.offset(layer), false));
                if (m != null) {
                    all.add(new CheckpointTensor(
                            module + ".lora_magnitude_vector", List.of((long) of.rows()), m.offset(layer), false));
                }
            }
        }
    }

    private Parameter append(String name, LowRank r, int rows, int columns, boolean decayed) {
        int first = r.layers().getFirst();
        int layers = r.layers().getLast() - first + 1;
        long stride = align((long) rows * columns);
        Parameter p = new Parameter(name, first, layers, rows, columns, decayed, length, stride);
        parameters.put(name, p);
        length += layers * stride;
        return p;
    }

    /**
     * The same with less: of each kind the layers from the first to the last with a tensor that is chosen by name, and no
     * kind without one. It is what gradients and moments need where only these are trained.
     */
    public ParameterLayout only(Predicate<String> tensors) {
        return new ParameterLayout(this, tensors);
    }

    private void place(ModelConfig config) {
        int hidden = config.hiddenSize();
        int qkv = config.attention(1, 1).qkvWidth();
        int out = config.attention(1, 1).outWidth();
        int up = config.isGpt2() ? config.intermediateSize() : 2 * config.intermediateSize();

        matrix("token_embedding", false, config.vocabularySize(), hidden);
        if (config.isGpt2()) {
            matrix("position_embedding", false, config.maxPositions(), hidden);
        }
        if (!config.tied()) {
            matrix("head", false, config.vocabularySize(), hidden);
        }
        matrix("attention.qkv", true, qkv, hidden);
        matrix("attention.out", true, hidden, out);
        matrix("mlp.up", true, up, hidden);
        matrix("mlp.down", true, hidden, config.intermediateSize());
        decayedLength = length;

        vector("norm1", true, hidden, config.isGpt2());
        vector("norm2", true, hidden, config.isGpt2());
        vector("final_norm", false, hidden, config.isGpt2());
        if (config.queryKeyNorm()) {
            vector("attention.query_norm", true, config.headDim(), false);
            vector("attention.key_norm", true, config.headDim(), false);
        }
        bias(config.qkvBias(), "attention.qkv", qkv);
        bias(config.outBias(), "attention.out", hidden);
        bias(config.mlpBias(), "mlp.up", up);
        bias(config.mlpBias(), "mlp.down", hidden);
    }

    private void matrix(String name, boolean perLayer, int rows, int columns) {
        append(name + ".weight", perLayer, rows, columns, true);
    }

    private void vector(String name, boolean perLayer, int columns, boolean withBias) {
        append(name + ".weight", perLayer, 1, columns, false);
        if (withBias) {
            append(name + ".bias", perLayer, 1, columns, false);
        }
    }

    private void bias(boolean present, String name, int columns) {
        if (present) {
            append(name + ".bias", true, 1, columns, false);
        }
    }

    private void append(String name, boolean perLayer, int rows, int columns, boolean decayed) {
        int layers = perLayer ? config.layers() : 1;
        long stride = align((long) rows * columns);
        parameters.put(name, new Parameter(name, 0, layers, rows, columns, decayed, length, perLayer ? stride : 0));
        length += layers * stride;
    }

    static long align(long floats) {
        return (floats + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    public ModelConfig config() {
        return config;
    }

    /** Floats of the arena; a little padding included, which stays zero. */
    public long length() {
        return length;
    }

    /**
     * The arena with matrices in a format. Vectors and adapters are floats always; embeddings and the head are not quantised,
     * as in QLoRA.
     *
     * @param files where tensors of bf16 lie in the order of their rows, to be read there; by their places in the arena
     * @throws UserException if rows of a matrix do not consist of whole blocks
     */
    List<Format.Span> spans(WeightFormat weights, Map<CheckpointTensor, Format.FilePart> files) {
        Format format = weights.format();
        Format.Span vectors = new Format.Span(length - decayedLength, Format.FP32);
        if (weights.isTrainable()) {
            List<Format.Span> spans = new ArrayList<>();
            long start = 0;
            for (CheckpointTensor tensor : places.headMap(decayedLength).values()) {
                Format.FilePart file = files.get(tensor);
                if (file != null) {
                    add(spans, tensor.offset() - start, format);
                    spans.add(new Format.Span(tensor.size(), format, file));
                    start = tensor.offset() + tensor.size();
                }
            }
            add(spans, decayedLength - start, format);
            spans.add(vectors);
            return spans;
        }
        long linear = parameter("attention.qkv.weight").offset();
        for (Parameter p : parameters()) {
            if (p.offset() >= linear && p.offset() < decayedLength && p.columns() % Format.BLOCK != 0) {
                throw new UserException("the width of " + p.name() + " is " + p.columns() + ", which is no multiple of "
                        + Format.BLOCK + ": it cannot be kept as "
                        + format.name().toLowerCase(Locale.ROOT)
                        + "; use bf16");
            }
        }
        return List.of(new Format.Span(linear, Format.BF16), new Format.Span(decayedLength - linear, format), vectors);
    }

    private static void add(List<Format.Span> spans, long length, Format format) {
        if (length > 0) {
            spans.add(new Format.Span(length, format));
        }
    }

    /** Where slices begin, ascending. */
    public long[] starts() {
        return parameters.values().stream()
                .flatMapToLong(p -> LongStream.range(p.firstLayer(), p.firstLayer() + p.layers())
                        .map(layer -> p.offset((int) layer)))
                .toArray();
    }

    /** Floats of the arena's first part, which weight decay acts on. */
    public long decayedLength() {
        return decayedLength;
    }

    /** Number of parameters, padding excluded. */
    public long parameterCount() {
        return parameters.values().stream()
                .mapToLong(p -> p.layers() * p.size())
                .sum();
    }

    public List<Parameter> parameters() {
        return new ArrayList<>(parameters.values());
    }

    /**
     * The parameters as checkpoints divide them: of a fused matrix each part, such as the queries' rows, chosen or not.
     */
    public List<Parameter> parts() {
        List<Parameter> parts = new ArrayList<>();
        for (Parameter p : parameters.values()) {
            for (CheckpointTensor tensor : within(p, p.firstLayer())) {
                int rows = p.decayed() ? Math.toIntExact(tensor.size() / p.columns()) : 1;
                int columns = Math.toIntExact(tensor.size() / rows);
                parts.add(new Parameter(
                        p.name(), p.firstLayer(), p.layers(), rows, columns, p.decayed(), tensor.offset(), p.stride()));
            }
        }
        return parts;
    }

    /** The tensors of a layer's slice, chosen or not. */
    private Collection<CheckpointTensor> within(Parameter p, int layer) {
        return within(places, p, layer);
    }

    private static Collection<CheckpointTensor> within(
            NavigableMap<Long, CheckpointTensor> places, Parameter p, int layer) {
        long from = p.offset(layer);
        return places.subMap(from, from + p.size()).values();
    }

    private static NavigableMap<Long, CheckpointTensor> places(List<CheckpointTensor> tensors) {
        NavigableMap<Long, CheckpointTensor> places = new TreeMap<>();
        tensors.forEach(tensor -> places.put(tensor.offset(), tensor));
        return places;
    }

    /** The adapters of a layer's linear layers, by the kind of these. */
    Map<String, LowRank> lowRanks(int layer) {
        return lowRanks.stream()
                .filter(lowRank -> lowRank.layers().contains(layer))
                .collect(Collectors.toMap(LowRank::kind, lowRank -> lowRank));
    }

    /** All adapters. */
    List<LowRank> lowRanks() {
        return lowRanks;
    }

    public Adapter adapter() {
        return adapter;
    }

    /** The model without its adapters. */
    public List<CheckpointTensor> modelTensors() {
        return checkpointTensors().stream()
                .filter(tensor -> !tensor.isOfAdapter())
                .toList();
    }

    /** The arena as the tensors of a Hugging Face checkpoint, without those that are not chosen. */
    public List<CheckpointTensor> checkpointTensors() {
        return tensors.stream().filter(tensor -> chosen.test(tensor.name())).toList();
    }

    boolean has(String name, int layer) {
        Parameter parameter = parameters.get(name);
        return parameter != null && parameter.hasLayer(layer);
    }

    boolean hasEmbedding() {
        return parameters.containsKey("token_embedding.weight") || parameters.containsKey("position_embedding.weight");
    }

    /** The kinds of which a layer has a tensor that is chosen. */
    Set<String> chosenIn(int layer) {
        return parameters.values().stream()
                .filter(p -> p.perLayer() && p.hasLayer(layer))
                .filter(p -> within(p, layer).stream().anyMatch(tensor -> chosen.test(tensor.name())))
                .map(Parameter::name)
                .collect(Collectors.toSet());
    }

    /** The lowest layer that gradients of these must reach: 0 for embeddings', the number of layers for the head's alone. */
    public int lowestLayer() {
        if (hasEmbedding()) {
            return 0;
        }
        return parameters.values().stream()
                .filter(Parameter::perLayer)
                .mapToInt(Parameter::firstLayer)
                .min()
                .orElse(config.layers());
    }

    Parameter parameter(String name) {
        return parameters.get(name);
    }

    /** The parameter's place in an arena, or null if this architecture has no such parameter. */
    Tensor tensor(Buffer arena, String name) {
        Parameter parameter = parameters.get(name);
        return parameter == null ? null : parameter.in(arena);
    }
}
