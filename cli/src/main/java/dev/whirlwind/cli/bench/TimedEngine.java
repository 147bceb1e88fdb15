package dev.whirlwind.cli.bench;

import dev.whirlwind.cli.cost.KernelCost;
import dev.whirlwind.cli.cost.OperationCost;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.tornado.KernelTimes;
import dev.whirlwind.tornado.TornadoEngine;
import dev.whirlwind.tornado.Traffic;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * An engine whose work can be timed: operations of engines that run them one after the other as they are called, kernels
 * of the tornado engine. Until {@link #start} it does nothing but pass everything on.
 */
final class TimedEngine implements Engine {
    private final Engine engine;
    private final Map<String, Sum> sums = new TreeMap<>();
    private boolean timing;
    private KernelTimes kernels;
    private Traffic before;

    private static final class Sum {
        long calls;
        double seconds;
        OperationCost cost = OperationCost.NONE;
    }

    /**
     * What an operation, or a kernel, takes in a step.
     *
     * @param calls how often it is called
     * @param ms time of all calls
     * @param share of the time of all of them
     * @param gflops floating-point operations per second of those that do mostly arithmetic, or null
     * @param gbPerSecond bytes read and written per second of those that mostly move memory, or null
     */
    record Row(String operation, long calls, double ms, double share, Double gflops, Double gbPerSecond) {}

    TimedEngine(Engine engine) {
        this.engine = engine;
    }

    /** What went between host and device in a step. */
    record PerStep(double launches, double synchronisations, double uploads, double uploadedBytes) {}

    /** Whether anything can be timed. */
    boolean isTimeable() {
        return engine instanceof TornadoEngine || engine.name().equals("cpu");
    }

    /** Times from now on, and forgets what came before. */
    void start() {
        sums.clear();
        timing = true;
        if (engine instanceof TornadoEngine tornado) {
            kernels = tornado.profile();
            before = tornado.traffic();
        }
    }

    /** Means of so many steps; null where there is no device. */
    PerStep traffic(int steps) {
        if (!(engine instanceof TornadoEngine tornado)) {
            return null;
        }
        Traffic now = tornado.traffic();
        return new PerStep(
                (double) (now.launches() - before.launches()) / steps,
                (double) (now.synchronisations() - before.synchronisations()) / steps,
                (double) (now.uploads() - before.uploads()) / steps,
                (double) (now.uploadedBytes() - before.uploadedBytes()) / steps);
    }

    /** The operations or kernels by the time they took, longest first, as means of so many steps. */
    List<Row> rows(int steps) {
        if (kernels != null) {
            sums.values().forEach(sum -> sum.calls = 0);
            kernels.byName().forEach((name, time) -> {
                Sum sum = sums.computeIfAbsent(name, key -> new Sum());
                sum.calls = time.calls();
                sum.seconds = time.seconds();
            });
        }
        double all = sums.values().stream().mapToDouble(sum -> sum.seconds).sum();
        return sums.entrySet().stream()
                .filter(entry -> entry.getValue().calls > 0)
                .map(entry -> {
                    Sum sum = entry.getValue();
                    return new Row(
                            entry.getKey(),
                            sum.calls / steps,
                            1e3 * sum.seconds / steps,
                            sum.seconds / all,
                            sum.cost.flops() > 0 ? 1e-9 * sum.cost.flops() / sum.seconds : null,
                            sum.cost.bytes() > 0 ? 1e-9 * sum.cost.bytes() / sum.seconds : null);
                })
                .sorted(Comparator.comparingDouble(Row::ms).reversed())
                .toList();
    }

    @Override
    public void run(Program program, Inputs inputs, int layer) {
        if (kernels != null) {
            OperationCost.visit(
                    program,
                    (operation, arguments) ->
                            KernelCost.visit(operation, arguments, layer, (kernel, cost) -> sum(kernel, cost)));
        }
        engine.run(timing && kernels == null ? ops -> program.run(timed(ops, layer)) : program, inputs, layer);
    }

    private Sum sum(String name, OperationCost cost) {
        Sum sum = sums.computeIfAbsent(name, key -> new Sum());
        sum.cost = sum.cost.plus(cost);
        return sum;
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
                        double seconds = (System.nanoTime() - start) * 1e-9;
                        Sum sum = sum(method.getName(), OperationCost.of(method.getName(), args, layer));
                        sum.seconds += seconds;
                        sum.calls++;
                    }
                });
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
    public Precision precision() {
        return engine.precision();
    }

    @Override
    public boolean readsFiles() {
        return engine.readsFiles();
    }

    @Override
    public Buffer allocateWeights(String name, List<Format.Span> spans, long[] starts) {
        return engine.allocateWeights(name, spans, starts);
    }

    @Override
    public Buffer allocateActivations(String name, long length) {
        return engine.allocateActivations(name, length);
    }

    @Override
    public Buffer allocate(String name, long length) {
        return engine.allocate(name, length);
    }

    @Override
    public Buffer allocateActivations(String name, long length, long[] starts) {
        return engine.allocateActivations(name, length, starts);
    }

    @Override
    public Buffer allocate(String name, long length, long[] starts) {
        return engine.allocate(name, length, starts);
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
