package dev.whirlwind.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import java.util.random.RandomGenerator;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * Runs operations on a new engine with random data, always the same for a trial unless {@code -Dcontract.seed} says
 * otherwise, and judges what they left. Tensors lie at odd places, some together in one buffer, some alone, some with a
 * slice per layer, some without; all that an operation may not write must keep its bits, and a second run on the same
 * data must give the same bits.
 */
final class Trial implements AutoCloseable {
    /** What float arithmetic may be off by, relative to an element's own size plus the root mean square of its tensor. */
    static final double TOLERANCE = 1e-5;

    /** What adding to a value in floats may be off by, relative to that value. */
    private static final double ADDITION = 1e-6;

    /** What rounding leaves of a value whose terms, of size 1, cancel: some float epsilons. */
    private static final double ROUNDING = 3e-7;

    /** The same of a gradient, which differences are compared with. */
    private static final double FLOOR = 1e-6;

    private static final int LAYERS = 3;
    private static final int SHARED = 1 << 20;
    private static final double STEP = 1e-5;

    final Inputs inputs;
    final RandomGenerator random;
    int layer;

    private final Engine engine;
    private final String what;
    private final long seed;
    private final Block shared;
    private final List<Block> blocks = new ArrayList<>();
    private final Map<Tensor, Slot> slots = new LinkedHashMap<>();

    /** A buffer with what it held before and after the last run. */
    private static final class Block {
        final Buffer buffer;
        int used;
        float[] before = {};
        float[] after = {};

        Block(Buffer buffer) {
            this.buffer = buffer;
        }
    }

    private record Slot(String name, Block block, int length, boolean written, Supplier<double[]> values) {}

    /** @param places tokens of the batch */
    Trial(Engine engine, String what, int places) {
        this.engine = engine;
        this.what = what;
        seed = Long.getLong("contract.seed", what.hashCode());
        random = new SplittableRandom(seed);
        inputs = new Inputs(places);
        inputs.lossScale = 0.5f + random.nextFloat();
        inputs.seed = random.nextLong();
        inputs.step = random.nextInt(1 << 30);
        inputs.microBatch = random.nextInt(1 << 20);
        shared = block("shared", SHARED);
    }

    @Override
    public void close() {
        engine.close();
    }

    /** A tensor that operations only read, of independent standard normal values. */
    Tensor input(String name, int length) {
        return input(name, length, () -> normal(length));
    }

    /** A tensor that operations only read. Values are drawn in the order of declaration, at each fill. */
    Tensor input(String name, int length, Supplier<double[]> values) {
        return tensor(new Slot(name, nextBlock(length), length, false, values));
    }

    /** A tensor to be overwritten: it holds NaN before. */
    Tensor output(String name, int length) {
        double[] garbage = new double[length];
        Arrays.fill(garbage, Double.NaN);
        return tensor(new Slot(name, nextBlock(length), length, true, () -> garbage));
    }

    /** A tensor to be changed: added to, or updated in place. */
    Tensor changed(String name, int length) {
        return tensor(new Slot(name, nextBlock(length), length, true, () -> normal(length)));
    }

    /** Sequences that are one text each, or of some documents or many. */
    void drawDocuments(int sequence) {
        double share = List.of(0.0, 0.02, 0.1, 0.5).get(random.nextInt(4));
        Inputs drawn = new Inputs(inputs.starts.length);
        for (int i = 0; i < drawn.tokens.length; i++) {
            drawn.tokens[i] = random.nextDouble() < share ? 1 : 0;
        }
        if (share > 0) {
            drawn.divideDocuments(1, sequence);
        }
        System.arraycopy(drawn.starts, 0, inputs.starts, 0, drawn.starts.length);
        System.arraycopy(drawn.ends, 0, inputs.ends, 0, drawn.ends.length);
    }

    double[] normal(int length) {
        return DoubleStream.generate(() -> (float) random.nextGaussian())
                .limit(length)
                .toArray();
    }

    /** Runs a program for two layers, each on data of its own, and judges both. */
    void each(Program program, Runnable judge) {
        for (int l = 1; l < LAYERS; l++) {
            fill(l);
            run(program);
            judge.run();
        }
    }

    /** New values everywhere, and a layer to work on. */
    void fill(int newLayer) {
        layer = newLayer;
        for (Block block : blocks) {
            block.before = new float[block.used];
            for (int i = 0; i < block.used; i++) {
                block.before[i] = (float) random.nextGaussian();
            }
            block.after = block.before.clone();
        }
        slots.forEach((tensor, slot) -> {
            double[] values = slot.values.get();
            store(tensor, slot.block.before, values);
            store(tensor, slot.block.after, values);
        });
    }

    /** Changes a tensor's values for the next run. */
    void put(Tensor tensor, double[] values) {
        store(tensor, slots.get(tensor).block.after, values);
    }

    private void store(Tensor tensor, float[] block, double[] values) {
        for (int i = 0; i < values.length; i++) {
            block[at(tensor) + i] = (float) values[i];
        }
    }

    /** Runs a program on what the last run (or fill, or put) left. */
    void run(Program program) {
        for (Block block : blocks) {
            block.before = block.after;
        }
        execute(program);
        List<float[]> first = blocks.stream().map(block -> block.after).toList();
        for (Block block : blocks) {
            boolean[] writable = writable(block);
            for (int i = 0; i < block.used; i++) {
                if (!writable[i] && !sameBits(block.before[i], block.after[i])) {
                    throw failure("changed float " + i + " of the buffer of " + names(block) + ", which it may not");
                }
            }
        }
        execute(program);
        for (int k = 0; k < blocks.size(); k++) {
            for (int i = 0; i < blocks.get(k).used; i++) {
                if (!sameBits(first.get(k)[i], blocks.get(k).after[i])) {
                    throw failure("a second run on the same data gave other bits at float " + i + " of the buffer of "
                            + names(blocks.get(k)));
                }
            }
        }
    }

    private void execute(Program program) {
        for (Block block : blocks) {
            MemorySegment.copy(block.before, 0, block.buffer.segment(), ValueLayout.JAVA_FLOAT, 0, block.used);
            engine.upload(block.buffer, 0, block.used);
        }
        engine.run(program, inputs, layer);
        for (Block block : blocks) {
            engine.download(block.buffer, 0, block.used);
            block.after = new float[block.used];
            MemorySegment.copy(block.buffer.segment(), ValueLayout.JAVA_FLOAT, 0, block.after, 0, block.used);
        }
    }

    /** The current layer's values before the last run. */
    double[] before(Tensor tensor) {
        return values(tensor, slots.get(tensor).block.before);
    }

    /** The current layer's values now. */
    double[] after(Tensor tensor) {
        return values(tensor, slots.get(tensor).block.after);
    }

    /** Values are as expected, to the tolerance. */
    void expect(Tensor tensor, double[] expected) {
        expect(tensor, expected, TOLERANCE);
    }

    void expect(Tensor tensor, double[] expected, double tolerance) {
        judge(tensor, after(tensor), expected, new double[expected.length], tolerance);
    }

    /** What was added to the tensor is as expected. */
    void expectAdded(Tensor tensor, double[] expected) {
        judge(tensor, added(tensor), expected, before(tensor), TOLERANCE);
    }

    void expectFinite(Tensor tensor) {
        double[] actual = after(tensor);
        for (int i = 0; i < actual.length; i++) {
            if (!Double.isFinite(actual[i])) {
                throw failure(slots.get(tensor).name + "[" + i + "] is " + actual[i]);
            }
        }
    }

    void expectBits(Tensor tensor, double[] expected) {
        double[] actual = after(tensor);
        for (int i = 0; i < expected.length; i++) {
            if (actual[i] != expected[i]) {
                throw wrong(tensor, i, actual[i], expected[i]);
            }
        }
    }

    /** The tensor holds the gradient of a loss with respect to x. */
    void expectGradient(Tensor tensor, double[] x, ToDoubleFunction<double[]> loss) {
        judgeGradient(tensor, after(tensor), x, loss, new double[x.length]);
    }

    /** The gradient of a loss with respect to x was added to the tensor. */
    void expectAddedGradient(Tensor tensor, double[] x, ToDoubleFunction<double[]> loss) {
        judgeGradient(tensor, added(tensor), x, loss, before(tensor));
    }

    /**
     * Central differences of the loss: along two random directions, which see every element; and element by element, for
     * all of a small tensor and some of a large one.
     */
    private void judgeGradient(
            Tensor tensor, double[] actual, double[] x, ToDoubleFunction<double[]> loss, double[] addedTo) {
        int n = x.length;
        double limit = 3 * TOLERANCE * norm(actual) + ADDITION * norm(addedTo) + FLOOR * Math.sqrt(n);
        for (int i = 0; i < 2; i++) {
            double[] direction = normal(n);
            double expected = slope(x, direction, loss);
            double along = dot(actual, direction);
            if (!(Math.abs(along - expected) <= limit)) {
                judgeElement(tensor, actual, x, loss, addedTo, wrongElement(actual, x, loss));
                throw failure("the gradient in " + slots.get(tensor).name + " along a random direction is " + along
                        + ", but the loss grows by " + expected);
            }
        }
        IntStream elements =
                n <= 50 ? IntStream.range(0, n) : IntStream.of(0, random.nextInt(n), random.nextInt(n), n - 1);
        elements.forEach(k -> judgeElement(tensor, actual, x, loss, addedTo, k));
    }

    /** An element of a wrong gradient that is wrong itself: halves of the directions are tried, the worse one is kept. */
    private int wrongElement(double[] actual, double[] x, ToDoubleFunction<double[]> loss) {
        int from = 0;
        int to = x.length;
        while (to - from > 1) {
            int middle = (from + to) / 2;
            if (error(actual, x, loss, from, middle) >= error(actual, x, loss, middle, to)) {
                to = middle;
            } else {
                from = middle;
            }
        }
        return from;
    }

    private double error(double[] actual, double[] x, ToDoubleFunction<double[]> loss, int from, int to) {
        double[] direction = new double[x.length];
        System.arraycopy(normal(to - from), 0, direction, from, to - from);
        double error = Math.abs(dot(actual, direction) - slope(x, direction, loss));
        return Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
    }

    private void judgeElement(
            Tensor tensor, double[] actual, double[] x, ToDoubleFunction<double[]> loss, double[] addedTo, int k) {
        double[] direction = new double[x.length];
        direction[k] = 1;
        double expected = slope(x, direction, loss);
        double size = Math.abs(expected) + norm(actual) / Math.sqrt(x.length);
        if (!(Math.abs(actual[k] - expected) <= TOLERANCE * size + ADDITION * Math.abs(addedTo[k]) + FLOOR)) {
            throw wrong(tensor, k, actual[k], expected);
        }
    }

    private static double slope(double[] x, double[] direction, ToDoubleFunction<double[]> loss) {
        double[] ahead = x.clone();
        double[] behind = x.clone();
        for (int i = 0; i < x.length; i++) {
            ahead[i] += STEP * direction[i];
            behind[i] -= STEP * direction[i];
        }
        return (loss.applyAsDouble(ahead) - loss.applyAsDouble(behind)) / (2 * STEP);
    }

    private void judge(Tensor tensor, double[] actual, double[] expected, double[] addedTo, double tolerance) {
        double rms = norm(expected) / Math.sqrt(expected.length);
        for (int i = 0; i < expected.length; i++) {
            double limit = tolerance * (Math.abs(expected[i]) + rms) + ADDITION * Math.abs(addedTo[i]) + ROUNDING;
            if (!(Math.abs(actual[i] - expected[i]) <= limit)) {
                throw wrong(tensor, i, actual[i], expected[i]);
            }
        }
    }

    AssertionError failure(String problem) {
        return new AssertionError(
                what + ", layer " + layer + ": " + problem + " (again: -Dcontract.seed=" + seed + ")");
    }

    private AssertionError wrong(Tensor tensor, int i, double actual, double expected) {
        return failure(slots.get(tensor).name + "[" + i + "] is " + actual + ", not " + expected);
    }

    static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private static double norm(double[] a) {
        return Math.sqrt(dot(a, a));
    }

    private double[] added(Tensor tensor) {
        double[] was = before(tensor);
        double[] added = after(tensor);
        for (int i = 0; i < added.length; i++) {
            added[i] -= was[i];
        }
        return added;
    }

    private double[] values(Tensor tensor, float[] block) {
        double[] values = new double[slots.get(tensor).length];
        for (int i = 0; i < values.length; i++) {
            values[i] = block[at(tensor) + i];
        }
        return values;
    }

    private int at(Tensor tensor) {
        return Math.toIntExact(tensor.offset(layer));
    }

    private boolean[] writable(Block block) {
        boolean[] writable = new boolean[block.used];
        slots.forEach((tensor, slot) -> {
            if (slot.block == block && slot.written) {
                Arrays.fill(writable, at(tensor), at(tensor) + slot.length, true);
            }
        });
        return writable;
    }

    private String names(Block block) {
        return String.join(
                ", ",
                slots.values().stream()
                        .filter(slot -> slot.block == block)
                        .map(Slot::name)
                        .toList());
    }

    private static boolean sameBits(float a, float b) {
        return Float.floatToRawIntBits(a) == Float.floatToRawIntBits(b);
    }

    private Block block(String name, int length) {
        Block block = new Block(engine.allocate(name, length));
        blocks.add(block);
        return block;
    }

    private int gap() {
        return 1 + random.nextInt(20);
    }

    /** The shared buffer and one of its own by turns. */
    private Block nextBlock(int length) {
        int most = LAYERS * (length + 20) + 40;
        boolean share = slots.size() % 2 == 0 && shared.used + most <= SHARED;
        return share ? shared : block("alone", most);
    }

    /** Places a tensor after a gap; every third one is the same for all layers. */
    private Tensor tensor(Slot slot) {
        long stride = slots.size() % 3 == 2 ? 0 : slot.length + gap();
        Tensor tensor = new Tensor(slot.block.buffer, slot.block.used + gap(), stride);
        slot.block.used = Math.toIntExact(tensor.offset(LAYERS - 1) + slot.length + gap());
        slots.put(tensor, slot);
        return tensor;
    }
}
