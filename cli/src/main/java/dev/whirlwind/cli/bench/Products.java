package dev.whirlwind.cli.bench;

import dev.whirlwind.cli.shared.Machine;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** Times the three products of a linear layer with as many rows, inputs and outputs. */
final class Products {
    private static final int WARM_UP = 3;

    /**
     * A product of one size.
     *
     * @param ms of its kernels, packing and adding up of parts included
     * @param peakShare gflops / the machine's peak, or null
     */
    record Row(int size, String operation, double ms, double gflops, Double peakShare) {}

    /** Means of so many runs. */
    record Result(String engine, String device, Double peakGflops, List<Row> products) {}

    private Products() {}

    static Result measure(Engine opened, int threads, int[] sizes, int runs) {
        TimedEngine engine = new TimedEngine(opened);
        Machine machine = Machine.of(opened, threads);
        List<Row> rows = new ArrayList<>();
        for (int n : sizes) {
            Tensor x = tensor(engine, "x", n);
            Tensor weight = tensor(engine, "weight", n);
            Tensor y = tensor(engine, "y", n);
            Map<String, Program> programs = new LinkedHashMap<>();
            programs.put("linear", ops -> ops.linear(y, x, weight, null, n, n, n));
            programs.put("linearBackwardInput", ops -> ops.linearBackwardInput(x, y, weight, n, n, n));
            programs.put("linearBackwardWeight", ops -> ops.linearBackwardWeight(weight, null, y, x, n, n, n));
            programs.forEach((operation, program) -> {
                run(engine, program, WARM_UP);
                engine.start();
                run(engine, program, 1);
                engine.start();
                run(engine, program, runs);
                double ms =
                        engine.rows(1).stream().mapToDouble(TimedEngine.Row::ms).sum() / runs;
                double gflops = 2e-6 * n * n * n / ms;
                rows.add(new Row(n, operation, ms, gflops, machine == null ? null : gflops / machine.gflops()));
            });
        }
        return new Result(opened.name(), opened.description(), machine == null ? null : machine.gflops(), rows);
    }

    private static void run(Engine engine, Program program, int runs) {
        for (int i = 0; i < runs; i++) {
            engine.run(program, new Inputs(1), 0);
        }
    }

    /** Small enough for the products of products to stay finite. */
    private static Tensor tensor(Engine engine, String name, int n) {
        Buffer buffer = engine.allocate(name + n, (long) n * n);
        SplittableRandom random = new SplittableRandom(1);
        for (long i = 0; i < (long) n * n; i++) {
            buffer.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-1, 1) / n);
        }
        return new Tensor(buffer, 0, 0);
    }
}
