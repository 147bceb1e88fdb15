package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.tornado.kernels.Half;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * Records each program as kernel calls and replays them: once, or where buffers are divided into several arrays, once for
 * all layers whose tensors lie in the same ones.
 */
abstract class KernelEngine implements Engine {
    /** Floats that are converted to weights of 16 bits at a time. */
    private static final int STAGING = 1 << 20;

    /** Numbers that one array may hold: kernels index by int, a work item's share beyond the end. */
    private static final long INDICES = Integer.MAX_VALUE - 1024;

    private final IdentityHashMap<Program, List<Recording>> recordings = new IdentityHashMap<>();
    private final Map<String, Memory> scratch = new HashMap<>();
    private final Map<String, HalfMemory> scratchHalves = new HashMap<>();
    private final HostMemory host = new HostMemory();
    private final Precision precision;
    private final long largestArray;

    /** Copies in 16 bits by the floats that they follow. */
    private final IdentityHashMap<Memory, Copy> copies = new IdentityHashMap<>();

    /** Floats that have changed since they were copied. */
    private final Set<Memory> changed = Collections.newSetFromMap(new IdentityHashMap<>());

    private Tensor halfTable;

    /** Whether there are numbers with fewer bits than floats, and what those of 16 are converted by. */
    private boolean stores;

    /** Floats of the largest matrix that shares scales. */
    private long widest;

    private final Map<Conversion, List<Stage>> conversions = new HashMap<>();
    private final Inputs noInputs = new Inputs(1);
    private Memory staging;
    private int kernels;

    /**
     * What a program is replayed as where tensors of divided buffers lie in these arrays (see {@link Placement}), of which
     * floats it reads the copies, and which it changes.
     */
    private record Recording(List<Stage> stages, Map<Tensor, Long> arrays, Set<Memory> copied, Set<Memory> written) {}

    private record Conversion(HalfMemory half, long count, boolean narrow) {}

    /** And how it is made anew. */
    private record Copy(HalfMemory memory, List<Stage> renew) {}

    /**
     * With arrays of some size.
     *
     * @param largestArray most numbers that one may hold; {@code -Dwhirlwind.largest-array} may say less
     */
    KernelEngine(Precision precision, long largestArray) {
        this.precision = precision;
        this.largestArray = Math.min(Math.min(largestArray, INDICES), ofProperty());
    }

    private static long ofProperty() {
        String value = System.getProperty("whirlwind.largest-array", String.valueOf(INDICES));
        if (!value.matches("[1-9][0-9]{0,17}")) {
            throw new UsageException("-Dwhirlwind.largest-array is " + value + "; it must be a number of floats");
        }
        return Long.parseLong(value);
    }

    @Override
    public final Precision precision() {
        return precision;
    }

    /** Bits of the exponent of a number that takes 16. */
    final int exponentBits() {
        return precision == Precision.FP16 ? Half.FP16_EXPONENT : Half.BF16_EXPONENT;
    }

    @Override
    public final void run(Program program, Inputs inputs, int layer) {
        Recording recording = recording(program, layer);
        for (Memory floats : recording.copied()) {
            if (changed.remove(floats)) {
                run(copies.get(floats).renew(), inputs, 0);
            }
        }
        run(recording.stages(), inputs, layer);
        recording.written().forEach(this::changed);
    }

    private Recording recording(Program program, int layer) {
        List<Recording> known = recordings.computeIfAbsent(program, _ -> new ArrayList<>(1));
        for (Recording recording : known) {
            if (Placement.fit(recording.arrays(), layer)) {
                return recording;
            }
        }
        Recording recording = record(program, layer);
        known.add(recording);
        return recording;
    }

    private Recording record(Program program, int layer) {
        Recorder recorder = recorder();
        MixedPrecision mixed = precision.isHalf() || stores ? new MixedPrecision(this, recorder) : null;
        Placement placement = new Placement(mixed == null ? recorder : mixed, recorder, layer);
        program.run(placement.ops());
        return new Recording(
                stagesOf(recorder),
                placement.arrays(),
                mixed == null ? Set.of() : mixed.copied(),
                mixed == null ? Set.of() : mixed.written());
    }

    private List<Stage> stagesOf(Recorder recorder) {
        List<Stage> stages = recorder.stages();
        kernels += stages.stream().mapToInt(stage -> stage.calls().size()).sum();
        return stages;
    }

    private void run(List<Stage> stages, Inputs inputs, int layer) {
        for (Stage stage : stages) {
            for (int repeat = 0; repeat < stage.repeats(); repeat++) {
                stage.fill(inputs, layer, repeat);
                run(stage);
            }
        }
    }

    /** Translates one program. */
    Recorder recorder() {
        return new Recorder(this);
    }

    /** How many kernels all programs have that were recorded so far. */
    final int kernels() {
        return kernels;
    }

    /** Runs the calls of a stage whose cursor is filled. */
    abstract void run(Stage stage);

    /** Is told of an array's bytes before it is made. */
    void take(String name, long bytes) {}

    /** Is given each array. */
    void keep(FloatArray array) {}

    /** The same. */
    void keep(IntArray array) {}

    @Override
    public Buffer allocate(String name, long length) {
        require(name, length);
        take(name, Math.multiplyExact(length, Float.BYTES));
        FloatArray array = host.floats(name, (int) length);
        keep(array);
        return new Memory(name, array);
    }

    @Override
    public final Buffer allocate(String name, long length, long[] starts) {
        if (length <= largestArray) {
            return allocate(name, length);
        }
        take(name, Math.multiplyExact(length, Float.BYTES));
        MemorySegment whole = host.zeros(name, length);
        Divided divided = new Divided(length, whole.asSlice(TornadoNativeArray.ARRAY_HEADER));
        eachArray(name, length, starts, (first, end) -> {
            FloatArray array = HostMemory.floats(whole, first, end - first);
            keep(array);
            divided.add(first, new Memory(name, array));
        });
        return divided;
    }

    /** Numbers from one place to before another. */
    @FunctionalInterface
    private interface Numbers {
        void at(long first, long end);
    }

    /** As few arrays as hold whole slices. */
    private void eachArray(String name, long length, long[] starts, Numbers array) {
        long first = 0;
        long end = 0;
        for (int i = 0; i <= starts.length; i++) {
            long next = i < starts.length ? starts[i] : length;
            if (next - first > largestArray && end > first) {
                array.at(first, end);
                first = end;
            }
            require(name, next - first);
            end = next;
        }
        array.at(first, end);
    }

    private void require(String name, long length) {
        if (length > largestArray) {
            throw new UserException("the engine '" + name() + "' holds at most " + largestArray
                    + " numbers in one array, but " + name + " needs " + length
                    + " in one; use --engine cpu or a smaller model or batch");
        }
    }

    @Override
    public boolean readsFiles() {
        return false;
    }

    @Override
    public Buffer allocateWeights(String name, List<Format.Span> spans, long[] starts) {
        spans.forEach(span -> requireFormat(name, span.format()));
        StoredWeights stored = new StoredWeights(
                this, spans.stream().mapToLong(Format.Span::length).sum());
        stores = true;
        long start = 0;
        for (Format.Span span : spans) {
            long first = start;
            long end = first + span.length();
            long[] within = LongStream.of(starts)
                    .filter(place -> place > first && place < end)
                    .map(place -> place - first)
                    .toArray();
            eachArray(name, span.length(), within, (from, to) -> {
                stored.add(first + from, allocate(name, span.format(), to - from));
            });
            if (span.format() == Format.INT8 || span.format() == Format.NF4) {
                widest = Math.max(widest, widest(span.length(), within));
            }
            start = end;
        }
        return stored;
    }

    /** The longest slice. */
    private static long widest(long length, long[] starts) {
        long widest = 0;
        for (int i = 0; i <= starts.length; i++) {
            long start = i == 0 ? 0 : starts[i - 1];
            widest = Math.max(widest, (i < starts.length ? starts[i] : length) - start);
        }
        return widest;
    }

    private Buffer allocate(String name, Format format, long length) {
        return switch (format) {
            case FP32 -> allocate(name, length);
            case BF16 -> allocateHalves(name, length);
            default -> allocateBlocks(name, format, length);
        };
    }

    private BlockMemory allocateBlocks(String name, Format format, long length) {
        long words = BlockMemory.words(format, length);
        long numbers = BlockMemory.numbers(format, length);
        take(name, Math.multiplyExact(words + numbers, Float.BYTES));
        BlockMemory memory =
                BlockMemory.of(name, format, host.ints(name, (int) words), host.floats(name, (int) numbers), length);
        keep(memory.words());
        keep(memory.numbers());
        return memory;
    }

    private void requireFormat(String name, Format format) {
        if (format == Format.BF16 && precision == Precision.FP16) {
            throw new UserException("the engine '" + name() + "' keeps " + name
                    + " as bf16, int8 or nf4 without --precision fp16; use --precision bf16, or --engine cpu");
        }
    }

    /** Rounds the host's floats to nearest into an array of 16 bits. */
    final void narrow(HalfMemory half, long offset, MemorySegment floats, long count) {
        convert(half, offset, count, (first, piece) -> {
            MemorySegment.copy(floats, Float.BYTES * first, staging().segment(), 0, Float.BYTES * piece);
            send(staging(), 0, piece);
            run(conversion(half, piece, true), noInputs, (int) ((offset + first) / 2));
        });
    }

    /** The other way round. */
    final void widen(HalfMemory half, long offset, MemorySegment floats, long count) {
        convert(half, offset, count, (first, piece) -> {
            run(conversion(half, piece, false), noInputs, (int) ((offset + first) / 2));
            fetch(staging(), 0, piece);
            MemorySegment.copy(staging().segment(), 0, floats, Float.BYTES * first, Float.BYTES * piece);
        });
    }

    private interface Piece {
        void at(long first, long count);
    }

    private void convert(HalfMemory half, long offset, long count, Piece piece) {
        if (offset % 2 != 0 || (count % 2 != 0 && offset + count != half.length())) {
            throw new UserException(
                    "the engine '" + name() + "' cannot keep matrices with rows of an odd width as bf16;"
                            + " use --weights fp32 or --engine cpu");
        }
        for (long first = 0; first < count; first += STAGING) {
            piece.at(first, Math.min(STAGING, count - first));
        }
    }

    private Memory staging() {
        if (staging == null) {
            staging = (Memory) allocate("weights on their way", STAGING);
        }
        return staging;
    }

    /** A tensor's place is half of its first number's, in place of a layer. */
    private List<Stage> conversion(HalfMemory half, long count, boolean narrow) {
        return conversions.computeIfAbsent(new Conversion(half, count, narrow), _ -> {
            Recorder recorder = recorder();
            Tensor floats = new Tensor(staging(), 0, 0);
            Tensor halves = new Tensor(half, 0, 2);
            if (narrow) {
                recorder.narrow(floats, halves, count, false);
            } else {
                recorder.widen(halves, floats, count);
            }
            return stagesOf(recorder);
        });
    }

    @Override
    public final Buffer allocateActivations(String name, long length) {
        return precision.isHalf() ? allocateHalves(name, length) : allocate(name, length);
    }

    @Override
    public final Buffer allocateActivations(String name, long length, long[] starts) {
        if (!precision.isHalf()) {
            return allocate(name, length, starts);
        }
        if (length <= largestArray) {
            return allocateHalves(name, length);
        }
        Divided divided = new Divided(length, null);
        eachArray(name, length, starts, (first, end) -> divided.add(first, allocateHalves(name, end - first)));
        return divided;
    }

    HalfMemory allocateHalves(String name, long length) {
        require(name, length);
        take(name, Math.multiplyExact(length, Short.BYTES));
        IntArray words = host.ints(name, (int) ((length + 1) / 2));
        keep(words);
        return new HalfMemory(name, words, length);
    }

    @Override
    public final void download(Buffer buffer, long offset, long length) {
        eachPart(buffer, offset, length, this::fetch, blocks -> {
            // Weights are as the host made them.
            if (!blocks.areWeights()) {
                fetch(blocks);
            }
        });
    }

    @Override
    public final void upload(Buffer buffer, long offset, long length) {
        eachPart(
                buffer,
                offset,
                length,
                (memory, first, count) -> {
                    changed(memory);
                    send(memory, first, count);
                },
                this::send);
    }

    /** Brings floats of an array to the host. */
    abstract void fetch(Memory memory, long offset, long length);

    /** Brings the host's to the array. */
    abstract void send(Memory memory, long offset, long length);

    /** The same of all numbers that share scales. */
    abstract void fetch(BlockMemory memory);

    abstract void send(BlockMemory memory);

    /** Some floats of an array. */
    @FunctionalInterface
    private interface Part {
        void at(Memory memory, long offset, long length);
    }

    private static void eachPart(Buffer buffer, long offset, long length, Part part, Consumer<BlockMemory> blocks) {
        if (!(buffer instanceof Divided divided)) {
            part.at((Memory) buffer, offset, length);
            return;
        }
        divided.arrays().forEach((first, array) -> {
            long from = Math.max(offset, first);
            long end = Math.min(offset + length, first + array.length());
            if (from < end && array instanceof Memory memory) {
                part.at(memory, from - first, end - from);
            } else if (from < end && array instanceof BlockMemory memory) {
                blocks.accept(memory);
            }
        });
    }

    /** The copy of a tensor that takes 16 bits a number, made anew when a program reads it after a change. */
    final Tensor halves(Tensor floats) {
        Copy copy = copies.computeIfAbsent((Memory) floats.buffer(), this::copy);
        return new Tensor(copy.memory(), floats.offset(), floats.stride());
    }

    private Copy copy(Memory floats) {
        HalfMemory memory = allocateHalves(floats.name() + " in 16 bits", floats.length());
        Recorder recorder = recorder();
        recorder.narrow(new Tensor(floats, 0, 0), new Tensor(memory, 0, 0), floats.length(), false);
        changed.add(floats);
        return new Copy(memory, stagesOf(recorder));
    }

    /** The host or a program has changed floats that may have a copy. */
    private void changed(Memory floats) {
        if (copies.containsKey(floats)) {
            changed.add(floats);
        }
    }

    /** The table by which kernels convert numbers of 16 bits. */
    final Tensor halfTable() {
        if (halfTable == null) {
            float[] table = Half.table(exponentBits());
            halfTable = new Tensor(allocate("table of powers of two", table.length), 0, 0);
            MemorySegment.copy(table, 0, halfTable.buffer().segment(), ValueLayout.JAVA_FLOAT, 0, table.length);
        }
        return halfTable;
    }

    /** Frees the host's memory. */
    final void freeHost() {
        host.close();
    }

    /** Memory that one call leaves to the next of the same program, shared by all programs. */
    final Tensor scratch(String name, long length) {
        Memory memory = scratch.get(name);
        if (memory == null || memory.length() < length) {
            memory = (Memory) allocate("scratch for " + name, length);
            scratch.put(name, memory);
        }
        return new Tensor(memory, 0, 0);
    }

    /** What any matrix that shares scales is widened into, one at a time. */
    final Tensor scratchOfBlocks() {
        return scratch("a matrix as floats", widest);
    }

    /** The same of numbers that take 16 bits. */
    final Tensor scratchHalves(String name, long length) {
        HalfMemory memory = scratchHalves.get(name);
        if (memory == null || memory.length() < length) {
            memory = allocateHalves("scratch for " + name + " in 16 bits", length);
            scratchHalves.put(name, memory);
        }
        return new Tensor(memory, 0, 0);
    }
}
