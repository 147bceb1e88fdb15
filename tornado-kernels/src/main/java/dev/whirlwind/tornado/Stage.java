package dev.whirlwind.tornado;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.tornado.kernels.Cursor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task10;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task11;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task12;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task13;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task14;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task15;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task4;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task5;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task6;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task7;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task8;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task9;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Kernel calls that run one after another, with their cursor: what a program is recorded as. Where a program works
 * through rows in chunks, its stage is repeated, once for each chunk.
 */
final class Stage {
    /** Enough for some hundred calls and more. */
    private static final int CURSOR_SIZE = 1024;

    /**
     * With more, the next operation begins another stage: TornadoVM describes a graph's tasks in 8192 bytes, 15 and 5 an argument,
     * which is enough for 96 calls.
     */
    static final int MANY_CALLS = 64;

    /** Larger than any text, and small enough to add positions to. */
    private static final int NO_WINDOW = 1 << 30;

    /** An int in the cursor: where a tensor starts, or a number that may differ from layer to layer. */
    @FunctionalInterface
    private interface Place {
        int value(int layer, int repeat);
    }

    private final List<Call> calls = new ArrayList<>();
    private final List<Place> places = new ArrayList<>();
    private final IntArray cursor = new IntArray(CURSOR_SIZE);
    private final int repeats;
    private final int rowsPerRepeat;
    private final int firstRow;
    private final FloatArray floats = new FloatArray(Cursor.FLOATS);
    private final List<Object> sizes = new ArrayList<>();
    private IntArray tokens;
    private IntArray documents;
    private IntArray targets;
    private IntArray tokenOrder;
    private IntArray taughtTokens;
    private FloatArray taughtProbabilities;

    Stage() {
        this(1, 0, 0);
    }

    /** To be repeated for rows {@code firstRow}, {@code firstRow + rowsPerRepeat}, ... */
    Stage(int repeats, int rowsPerRepeat, int firstRow) {
        this.repeats = repeats;
        this.rowsPerRepeat = rowsPerRepeat;
        this.firstRow = firstRow;
    }

    List<Call> calls() {
        return calls;
    }

    int repeats() {
        return repeats;
    }

    boolean isFull() {
        return calls.size() >= MANY_CALLS || places.size() > CURSOR_SIZE / 2;
    }

    /** Sizes of calls whose kernels are compiled for all sizes: uploaded once. */
    List<Object> sizes() {
        return sizes;
    }

    /** The small arrays that must be uploaded before each run. */
    List<Object> inputs() {
        List<Object> inputs = new ArrayList<>(List.of(cursor, floats));
        if (tokens != null) {
            inputs.add(tokens);
        }
        if (documents != null) {
            inputs.add(documents);
        }
        if (targets != null) {
            inputs.add(targets);
        }
        if (tokenOrder != null) {
            inputs.add(tokenOrder);
        }
        if (taughtTokens != null) {
            inputs.add(taughtTokens);
            inputs.add(taughtProbabilities);
        }
        return inputs;
    }

    /** Sets the small arrays for one run. */
    void fill(Inputs inputs, int layer, int repeat) {
        Cursor.fill(cursor, inputs, layer, firstRow + repeat * rowsPerRepeat);
        for (int i = 0; i < places.size(); i++) {
            cursor.set(Cursor.TENSORS + i, places.get(i).value(layer, repeat));
        }
        Cursor.fill(floats, inputs);
        copy(inputs.tokens, tokens);
        copy(inputs.targets, targets);
        if (documents != null) {
            int rows = documents.getSize() / 2;
            for (int i = 0; i < rows; i++) {
                documents.set(i, inputs.starts[i]);
                documents.set(rows + i, inputs.ends[i]);
            }
        }
        if (tokenOrder != null) {
            order(inputs.tokens);
        }
        if (taughtTokens != null) {
            copyTaught(inputs, firstRow + repeat * rowsPerRepeat);
        }
    }

    /** As {@link Sums#wTokenRows} wants it. */
    private void order(int[] tokens) {
        int rows = this.tokens.getSize();
        long[] byToken = new long[rows];
        for (int row = 0; row < rows; row++) {
            byToken[row] = (long) tokens[row] << 32 | row;
        }
        Arrays.sort(byToken);
        int distinct = 0;
        for (int i = 0; i < rows; i++) {
            if (i == 0 || byToken[i] >> 32 != byToken[i - 1] >> 32) {
                tokenOrder.set(1 + distinct++, i);
            }
            tokenOrder.set(2 + rows + i, (int) byToken[i]);
        }
        tokenOrder.set(0, distinct);
        tokenOrder.set(1 + distinct, rows);
    }

    private static void copy(int[] from, IntArray to) {
        for (int i = 0; to != null && i < to.getSize(); i++) {
            to.set(i, from[i]);
        }
    }

    /** Of a stage's own rows only. */
    private void copyTaught(Inputs inputs, int row) {
        int places = inputs.tokens.length;
        int from = row * (inputs.taughtTokens.length / places);
        for (int i = 0; i < taughtTokens.getSize(); i++) {
            taughtTokens.set(i, inputs.taughtTokens[from + i]);
        }
        from = row * (inputs.taughtProbabilities.length / places);
        for (int i = 0; i < taughtProbabilities.getSize(); i++) {
            taughtProbabilities.set(i, inputs.taughtProbabilities[from + i]);
        }
    }

    IntArray cursor() {
        return cursor;
    }

    FloatArray floats() {
        return floats;
    }

    IntArray tokens(int rows) {
        if (tokens == null) {
            tokens = new IntArray(rows);
        }
        return tokens;
    }

    /** Where the documents of places start within their sequences, [rows], and then where they end. */
    IntArray documents(int rows) {
        if (documents == null) {
            documents = new IntArray(2 * rows);
        }
        return documents;
    }

    /** The rows in the order of their tokens. */
    IntArray tokenOrder(int rows) {
        tokenOrder = new IntArray(2 + 2 * rows);
        return tokenOrder;
    }

    /** What was kept of a teacher for the stage's rows. */
    IntArray taughtTokens(int size) {
        taughtTokens = new IntArray(size);
        return taughtTokens;
    }

    FloatArray taughtProbabilities(int size) {
        taughtProbabilities = new FloatArray(size);
        return taughtProbabilities;
    }

    IntArray targets(int rows) {
        if (targets == null) {
            targets = new IntArray(rows);
        }
        return targets;
    }

    /** Adds tensors to the cursor and returns the index of the first. */
    int at(Tensor... tensors) {
        int first = Cursor.TENSORS + places.size();
        for (Tensor tensor : tensors) {
            moving(tensor, 0);
        }
        return first;
    }

    /** Adds a tensor that moves by so many floats from one repeat to the next. */
    int moving(Tensor tensor, long perRepeat) {
        places.add((layer, repeat) -> (int) (tensor.offset(layer) + perRepeat * repeat));
        return Cursor.TENSORS + places.size() - 1;
    }

    /** The last call's work items. */
    void grid(int x, int y, int groupX, int groupY) {
        Call call = calls.removeLast();
        calls.add(new Call(call.name(), call.loops(), call.task(), new Call.Grid(x, y, groupX, groupY)));
    }

    /** Adds an int that a kernel finds beside its tensors. */
    void constant(int value) {
        places.add((layer, repeat) -> value);
    }

    /** Adds what differs between layers' attentions: how many latest keys a query sees, and the squared divisor. */
    void attention(AttentionShape shape) {
        places.add((layer, repeat) -> {
            int window = shape.layer(layer).window();
            return window == 0 ? NO_WINDOW : Math.min(window, NO_WINDOW);
        });
        places.add((layer, repeat) -> shape.layer(layer).squaredDivisor());
    }

    private void add(String name, Runnable loops, Call.Task task) {
        calls.add(new Call(name, loops, task, null));
    }

    private IntArray sizes(int... values) {
        IntArray array = new IntArray(values.length);
        for (int i = 0; i < values.length; i++) {
            array.set(i, values[i]);
        }
        sizes.add(array);
        return array;
    }

    /** A kernel that is the same for all sizes, which come with {@code at} in an array of the call's own. */
    <A3, A4> void call(String name, Task4<IntArray, IntArray, A3, A4> kernel, int[] atAndSizes, A3 a3, A4 a4) {
        IntArray where = sizes(atAndSizes);
        add(
                name,
                () -> kernel.apply(cursor, where, a3, a4),
                (graph, id) -> graph.task(id, kernel, cursor, where, a3, a4));
    }

    <A3, A4, A5, A6, A7> void call(
            String name,
            Task7<IntArray, IntArray, A3, A4, A5, A6, A7> kernel,
            int[] atAndSizes,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7) {
        IntArray where = sizes(atAndSizes);
        add(
                name,
                () -> kernel.apply(cursor, where, a3, a4, a5, a6, a7),
                (graph, id) -> graph.task(id, kernel, cursor, where, a3, a4, a5, a6, a7));
    }

    <A3, A4> void call(String name, Task4<IntArray, Integer, A3, A4> kernel, int at, A3 a3, A4 a4) {
        add(name, () -> kernel.apply(cursor, at, a3, a4), (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4));
    }

    <A3, A4, A5> void call(String name, Task5<IntArray, Integer, A3, A4, A5> kernel, int at, A3 a3, A4 a4, A5 a5) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5));
    }

    <A3, A4, A5, A6> void call(
            String name, Task6<IntArray, Integer, A3, A4, A5, A6> kernel, int at, A3 a3, A4 a4, A5 a5, A6 a6) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5, a6));
    }

    <A3, A4, A5, A6, A7> void call(
            String name,
            Task7<IntArray, Integer, A3, A4, A5, A6, A7> kernel,
            int at,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6, a7),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5, a6, a7));
    }

    <A3, A4, A5, A6, A7, A8> void call(
            String name,
            Task8<IntArray, Integer, A3, A4, A5, A6, A7, A8> kernel,
            int at,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7,
            A8 a8) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6, a7, a8),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5, a6, a7, a8));
    }

    <A3, A4, A5, A6, A7, A8, A9> void call(
            String name,
            Task9<IntArray, Integer, A3, A4, A5, A6, A7, A8, A9> kernel,
            int at,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7,
            A8 a8,
            A9 a9) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6, a7, a8, a9),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5, a6, a7, a8, a9));
    }

    <A3, A4, A5, A6, A7, A8, A9, A10> void call(
            String name,
            Task10<IntArray, Integer, A3, A4, A5, A6, A7, A8, A9, A10> kernel,
            int at,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7,
            A8 a8,
            A9 a9,
            A10 a10) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6, a7, a8, a9, a10),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5, a6, a7, a8, a9, a10));
    }

    <A3, A4, A5, A6, A7, A8, A9, A10, A11> void call(
            String name,
            Task11<IntArray, Integer, A3, A4, A5, A6, A7, A8, A9, A10, A11> kernel,
            int at,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7,
            A8 a8,
            A9 a9,
            A10 a10,
            A11 a11) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11));
    }

    <A3, A4, A5, A6, A7, A8, A9, A10, A11, A12> void call(
            String name,
            Task12<IntArray, Integer, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12> kernel,
            int at,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7,
            A8 a8,
            A9 a9,
            A10 a10,
            A11 a11,
            A12 a12) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12));
    }

    <A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13> void call(
            String name,
            Task13<IntArray, Integer, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13> kernel,
            int at,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7,
            A8 a8,
            A9 a9,
            A10 a10,
            A11 a11,
            A12 a12,
            A13 a13) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13));
    }

    <A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14> void call(
            String name,
            Task14<IntArray, Integer, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14> kernel,
            int at,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7,
            A8 a8,
            A9 a9,
            A10 a10,
            A11 a11,
            A12 a12,
            A13 a13,
            A14 a14) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14),
                (graph, id) -> graph.task(id, kernel, cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14));
    }

    <A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15> void call(
            String name,
            Task15<IntArray, Integer, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15> kernel,
            int at,
            A3 a3,
            A4 a4,
            A5 a5,
            A6 a6,
            A7 a7,
            A8 a8,
            A9 a9,
            A10 a10,
            A11 a11,
            A12 a12,
            A13 a13,
            A14 a14,
            A15 a15) {
        add(
                name,
                () -> kernel.apply(cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15),
                (graph, id) ->
                        graph.task(id, kernel, cursor, at, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15));
    }
}
