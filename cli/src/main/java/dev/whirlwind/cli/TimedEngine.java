package dev.whirlwind.cli;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Program;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * An engine whose operations can be timed, for engines that run a program's operations one after the other as they are
 * called. Until {@link #start} it does nothing but pass everything on.
 */
final class TimedEngine implements Engine {
    private final Engine engine;
    private final Map<String, Sum> sums = new TreeMap<>();
    private boolean timing;

    private static final class Sum {
        long calls;
        double seconds;
        double flops;
        double bytes;
    }

    /**
     * What an operation takes in a step.
     *
     * @param calls how often it is called
     * @param ms time of all calls
     * @param share of the time of all operations
     * @param gflops floating-point operations per second of those that do mostly arithmetic, or null
     * @param gbPerSecond bytes read and written per second of those that mostly move memory, or null
     */
    record Row(String operation, long calls, double ms, double share, Double gflops, Double gbPerSecond) {}

    TimedEngine(Engine engine) {
        this.engine = engine;
    }

    /** Times operations from now on, and forgets what came before. */
    void start() {
        sums.clear();
        timing = true;
    }

    /** The operations by the time they took, longest first, as means of so many steps. */
    List<Row> rows(int steps) {
        double all = sums.values().stream().mapToDouble(sum -> sum.seconds).sum();
        return sums.entrySet().stream()
                .map(entry -> {
                    Sum sum = entry.getValue();
                    return new Row(
                            entry.getKey(),
                            sum.calls / steps,
                            1e3 * sum.seconds / steps,
                            sum.seconds / all,
                            sum.flops > 0 ? 1e-9 * sum.flops / sum.seconds : null,
                            sum.bytes > 0 ? 1e-9 * sum.bytes / sum.seconds : null);
                })
                .sorted(Comparator.comparingDouble(Row::ms).reversed())
                .toList();
    }

    @Override
    public void run(Program program, Inputs inputs, int layer) {
        engine.run(timing ? ops -> program.run(timed(ops, layer)) : program, inputs, layer);
    }

    private Ops timed(Ops ops, int layer) {
        return (Ops) Proxy.newProxyInstance(
                Ops.class.getClassLoader(), new Class<?>[] {Ops.class}, (proxy, method, args) -> {
                    long start = System.nanoTime();
                    try {
                        return method.invoke(ops, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    } finally {
                        Sum sum = sums.computeIfAbsent(method.getName(), name -> new Sum());
                        sum.seconds += (System.nanoTime() - start) * 1e-9;
                        sum.calls++;
                        sum.flops += flops(method.getName(), args, layer);
                        sum.bytes += Float.BYTES * floats(method.getName(), args);
                    }
                });
    }

    /** Floating-point operations of those operations that are mostly arithmetic; a multiply-add is two. */
    private static double flops(String operation, Object[] args, int layer) {
        int n = args.length;
        return switch (operation) {
            case "linear", "linearBackwardInput", "linearBackwardWeight" -> 2 * product(args, n - 3);
            case "headLoss" -> 2 * product(args, n - 3);
            // The logits once more, then the gradients of input and weight.
            case "headLossBackward" -> 6 * product(args, n - 3);
            case "attention" -> ModelFlops.attention((AttentionShape) args[3], layer);
            // Scores once more, then the gradients of values, probabilities, queries and keys.
            case "attentionBackward" -> 2.5 * ModelFlops.attention((AttentionShape) args[6], layer);
            default -> 0;
        };
    }

    /** Floats that go through memory at least, of those operations that mostly move memory. */
    private static double floats(String operation, Object[] args) {
        int n = args.length;
        return switch (operation) {
            case "embed", "embedBackward" -> 2 * product(args, n - 3);
            case "layerNorm", "rmsNorm" -> 2.0 * (int) args[n - 3] * (int) args[n - 2];
            case "layerNormBackward", "rmsNormBackward" -> 4.0 * (int) args[n - 2] * (int) args[n - 1];
            case "headNorm" -> 2 * qkv(args[n - 2]);
            case "headNormBackward" -> 3 * qkv(args[n - 1]);
            case "rope", "ropeBackward" -> 2 * qkv(args[n - 1]);
            case "activation" -> 2.0 * (int) args[n - 2] * (int) args[n - 1];
            case "activationBackward", "gated", "add" -> 3.0 * (int) args[n - 2] * (int) args[n - 1];
            case "gatedBackward" -> 5.0 * (int) args[n - 2] * (int) args[n - 1];
            case "dropout" -> 2.0 * (int) args[n - 3] * (int) args[n - 2];
            case "sumOfSquares" -> (long) args[n - 1];
            case "zero" -> (long) args[n - 1];
            // Parameter, gradient and both moments, read and written.
            case "adamw" -> 8.0 * (long) args[n - 2];
            default -> 0;
        };
    }

    private static double product(Object[] args, int first) {
        return (double) (int) args[first] * (int) args[first + 1] * (int) args[first + 2];
    }

    private static double qkv(Object shape) {
        return (double) ((AttentionShape) shape).rows() * ((AttentionShape) shape).qkvWidth();
    }

    @Override
    public String name() {
        return engine.name();
    }

    @Override
    public String description() {
        return engine.description();
    }

    @Override
    public Buffer allocate(String name, long length) {
        return engine.allocate(name, length);
    }

    @Override
    public void download(Buffer buffer, long offset, long length) {
        engine.download(buffer, offset, length);
    }

    @Override
    public void upload(Buffer buffer, long offset, long length) {
        engine.upload(buffer, offset, length);
    }

    @Override
    public void close() {
        engine.close();
    }
}
