package dev.whirlwind.tornado;

import dev.whirlwind.model.Objective;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Tensor;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.LongStream;

/**
 * Hands operations on with every tensor of a {@link Divided} buffer as one of the array that it lies in at some layer. A
 * program is recorded once for all layers that find their tensors in the same arrays.
 */
final class Placement implements InvocationHandler {
    /** Treat each element by itself, and so may be done for parts of their range in turn. */
    private static final Set<String> ELEMENTWISE =
            Set.of("adamw", "lion", "momentum", "unfactoredDirection", "descend", "pull", "combine", "zero");

    /** Numbers with fewer bits whose floats operations on single elements are given at a time: whole blocks. */
    private static final long CHUNK = 1 << 24;

    private final Ops ops;
    private final Recorder recorder;
    private final int layer;
    private final Map<Tensor, Long> arrays = new HashMap<>();

    /**
     * For one layer.
     *
     * @param ops what operations are handed on to, and end up in the recorder by
     */
    Placement(Ops ops, Recorder recorder, int layer) {
        this.ops = ops;
        this.recorder = recorder;
        this.layer = layer;
    }

    Ops ops() {
        return (Ops) Proxy.newProxyInstance(Ops.class.getClassLoader(), new Class<?>[] {Ops.class}, this);
    }

    /** Where the arrays begin of the tensors that were met, of divided buffers. */
    Map<Tensor, Long> arrays() {
        return arrays;
    }

    /** Whether tensors lie in these arrays at a layer, too. */
    static boolean fit(Map<Tensor, Long> arrays, int layer) {
        return arrays.entrySet().stream().allMatch(entry -> array(entry.getKey(), layer) == entry.getValue());
    }

    private static long array(Tensor tensor, int layer) {
        return ((Divided) tensor.buffer()).array(tensor.offset(layer));
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
        if (method.getName().equals("sumOfSquares")) {
            sumOfSquares((Tensor) arguments[0], (Tensor) arguments[1], (long) arguments[2]);
        } else if (ELEMENTWISE.contains(method.getName())) {
            inParts(method, arguments);
        } else {
            handOn(method, Arrays.stream(arguments).map(this::placed).toArray());
        }
        return null;
    }

    private void handOn(Method method, Object[] arguments) throws Throwable {
        recorder.next();
        try {
            method.invoke(ops, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private Object placed(Object argument) {
        return switch (argument) {
            case Tensor tensor -> placed(tensor);
            case Ops.Columns x -> new Ops.Columns(placed(x.matrix()), x.rowWidth(), x.first());
            case Objective.Live live -> new Objective.Live(placed(live.x()), placed(live.weight()), live.width());
            case null, default -> argument;
        };
    }

    private Tensor placed(Tensor tensor) {
        if (!(tensor.buffer() instanceof Divided divided)) {
            return tensor;
        }
        long first = array(tensor, layer);
        arrays.put(tensor, first);
        return new Tensor(divided.arrays().get(first), tensor.offset() - first, tensor.stride());
    }

    private void inParts(Method method, Object[] arguments) throws Throwable {
        int ofLength = List.of(method.getParameterTypes()).indexOf(long.class);
        long length = (long) arguments[ofLength];
        Tensor[] tensors =
                Arrays.stream(arguments).filter(Tensor.class::isInstance).toArray(Tensor[]::new);
        List<Long> bounds = bounds(length, tensors);
        for (int i = 0; i + 1 < bounds.size(); i++) {
            long first = bounds.get(i);
            Object[] part = Arrays.stream(arguments)
                    .map(argument -> argument instanceof Tensor tensor ? placed(tensor.skip(first)) : argument)
                    .toArray();
            part[ofLength] = bounds.get(i + 1) - first;
            handOn(method, part);
        }
    }

    /** 0, where another array begins for any of the tensors, and the length. */
    private List<Long> bounds(long length, Tensor... tensors) {
        TreeSet<Long> bounds = new TreeSet<>(List.of(0L, length));
        for (Tensor tensor : tensors) {
            if (tensor.buffer() instanceof Divided divided) {
                long first = tensor.offset(layer);
                divided.arrays()
                        .subMap(first, false, first + length, false)
                        .keySet()
                        .forEach(bound -> bounds.add(bound - first));
                if (!(divided.arrays().get(divided.array(first)) instanceof Memory)) {
                    LongStream.iterate(CHUNK, bound -> bound < length, bound -> bound + CHUNK)
                            .forEach(bounds::add);
                }
            }
        }
        return List.copyOf(bounds);
    }

    private void sumOfSquares(Tensor partials, Tensor x, long length) {
        List<Long> bounds = bounds(length, x);
        List<Recorder.Range> ranges = new ArrayList<>();
        for (int i = 0; i + 1 < bounds.size(); i++) {
            ranges.add(new Recorder.Range(placed(x.skip(bounds.get(i))), bounds.get(i), bounds.get(i + 1)));
        }
        recorder.sumOfSquares(placed(partials), ranges);
    }
}
