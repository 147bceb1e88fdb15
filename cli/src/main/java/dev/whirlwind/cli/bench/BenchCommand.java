package dev.whirlwind.cli.bench;

import dev.whirlwind.cli.cost.ModelFlops;
import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Machine;
import dev.whirlwind.cli.shared.MemoryCheck;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.cpu.MemoryBenchmark;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.KeyValueCache;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.tornado.TornadoEngine;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.memory.MemoryNeeds;
import dev.whirlwind.training.memory.ProcessMemory;
import dev.whirlwind.training.optimizers.Optimizer;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "bench",
        description = "Times whole training steps (forward, backward, clipping, AdamW) on random tokens, and each"
                + " operation or kernel, against the machine's peak measured in the same run.")
public final class BenchCommand implements Callable<Integer> {
    /** Steps after which the compiled code is the final one. */
    private static final int WARM_UP = 5;

    /** Steps whose operations are timed, after the timing of whole steps, as it slows them down a little. */
    private static final int PROFILED = 3;

    private static final int MOST_STEPS = 1_000_000;

    /** Three operands of it are 12 GiB. */
    private static final int MOST_PRODUCT = 1 << 15;

    /** Tokens after which the compiled code is the final one. */
    private static final int GENERATION_WARM_UP = 100;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--model",
            paramLabel = "PRESET|FILE|DIR",
            defaultValue = "gpt2",
            description = "A preset (gpt2, llama-15m, byte-tiny) or config.json with random weights, or a model folder."
                    + " Default: ${DEFAULT-VALUE}.")
    private String model;

    @Option(
            names = "--batch",
            paramLabel = "B",
            defaultValue = "4",
            description = "Sequences of a step. Default: ${DEFAULT-VALUE}.")
    private int batch;

    @Option(
            names = "--sequence",
            paramLabel = "T",
            defaultValue = "64",
            description = "Tokens of a sequence. Default: ${DEFAULT-VALUE}.")
    private int sequence;

    @Option(
            names = "--steps",
            paramLabel = "N",
            defaultValue = "10",
            description = "Steps to time, after " + WARM_UP + " to warm up. Default: ${DEFAULT-VALUE}.")
    private int steps;

    @Option(names = "--recompute", description = "Run each block's forward pass again before its backward pass.")
    private boolean recompute;

    @Option(
            names = "--generation",
            description = "Time the generation of one text instead: N tokens, one after the other, with the key/value"
                    + " cache. --batch is not used; --sequence is how many tokens the text has before.")
    private boolean generation;

    @Option(
            names = "--products",
            split = ",",
            paramLabel = "SIZE",
            description =
                    "Time the products of linear layers instead, of so many rows, inputs and outputs; --steps is how"
                            + " often. Several sizes with commas.")
    private int[] products;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    record StepMs(double median, double min, double max) {}

    /**
     * See DESIGN for the first ones.
     *
     * @param peakShare gflops / peakGflops
     * @param memory of what the engine runs on, measured in the same run
     * @param operations sorted by time; kernels on the tornado engine
     * @param firstStepSeconds with all compiling
     * @param traffic of the tornado engine; null of others
     */
    record Result(
            String engine,
            String device,
            String model,
            long parameters,
            int batch,
            int sequence,
            StepMs stepMs,
            double tokensPerSecond,
            double gflops,
            Double peakGflops,
            Double peakShare,
            Double peakRssMib,
            Machine.Memory memory,
            Double compileSeconds,
            List<TimedEngine.Row> operations,
            double firstStepSeconds,
            TimedEngine.PerStep traffic) {}

    /**
     * Generation of a single text.
     *
     * @param prefix tokens of the text before
     * @param gbPerSecond bytes of weights and cache that a token needs, times tokens per second, in 10^9
     * @param memory of what the engine runs on, measured in the same run; null where nothing can be compared
     * @param readShare gbPerSecond / memory.read, or null
     * @param operations of a token, sorted by time; kernels on the tornado engine
     * @param firstTokenSeconds with all compiling
     * @param traffic of a token on the tornado engine; null of others
     */
    record GenerationResult(
            String engine,
            String device,
            String model,
            long parameters,
            int prefix,
            StepMs tokenMs,
            double tokensPerSecond,
            double gbPerSecond,
            Machine.Memory memory,
            Double readShare,
            List<TimedEngine.Row> operations,
            double firstTokenSeconds,
            TimedEngine.PerStep traffic) {}

    @Override
    public Integer call() {
        Range.ONE_OR_MORE.check("--batch", batch);
        Range.ONE_OR_MORE.check("--sequence", sequence);
        Range.require(steps >= 1 && steps <= MOST_STEPS, "--steps", steps, "from 1 to " + MOST_STEPS);
        if (products != null) {
            products();
            return 0;
        }
        PrintWriter err = spec.commandLine().getErr();
        boolean preset = ModelConfig.PRESETS.contains(model);
        boolean random = preset || Files.isRegularFile(Path.of(model));
        ModelConfig stored = preset
                ? ModelConfig.preset(model)
                : random ? ModelConfig.readFile(Path.of(model)) : ModelFolder.config(Path.of(model));
        // Continued pre-training seldom drops out, and the peers are timed without.
        ModelConfig config = stored.withDropout(0);
        requireMemory(random ? config : ModelFolder.check(Path.of(model), config));
        try (Engine engine = engines.open()) {
            engines.announce(engine, err);
            if (generation) {
                generate(engine, config, random);
                return 0;
            }
            Result result = measure(engine, config, random);
            if (output.isJson()) {
                spec.commandLine().getOut().println(Output.json(result));
            } else {
                print(result);
            }
        }
        return 0;
    }

    /** For the steps or tokens and, while their tensors are there, for the measurement of the machine's memory. */
    private void requireMemory(ModelConfig config) {
        MemoryCheck check = engines.memory();
        if (!generation) {
            check.requireTraining(
                    config,
                    Map.of("batch", batch, "sequence", sequence, "recompute", recompute),
                    Set.of("batch", "sequence", "recompute"),
                    MemoryBenchmark.BYTES);
            return;
        }
        config.requirePositions((long) sequence + GENERATION_WARM_UP + steps + PROFILED);
        check.requireGeneration(
                "sequence",
                sequence,
                before -> MemoryBenchmark.BYTES
                        + MemoryNeeds.generation(config, before + GENERATION_WARM_UP + steps + PROFILED, 1));
    }

    private Result measure(Engine opened, ModelConfig config, boolean random) {
        TimedEngine engine = new TimedEngine(opened);
        Parameters weights = weights(engine, config, random);
        Transformer transformer = Transformer.forTraining(engine, weights, batch, sequence, recompute);
        fill(transformer.inputs(), config.vocabularySize());
        Optimizer optimizer = new Optimizer(engine, transformer, new AdamW(0.9f, 0.95f, 1e-8f, 0.1f), 1);
        double[] seconds = new double[steps];
        double first = step(transformer, optimizer);
        for (int i = 1 - WARM_UP; i < steps; i++) {
            double taken = step(transformer, optimizer);
            if (i >= 0) {
                seconds[i] = taken;
            }
        }
        if (engine.isTimeable()) {
            // Timing has to be warm, too.
            engine.start();
            step(transformer, optimizer);
            engine.start();
            for (int i = 0; i < PROFILED; i++) {
                step(transformer, optimizer);
            }
        }
        StepMs stepMs = stepMs(seconds);
        double median = 1e-3 * stepMs.median();
        double gflops = ModelFlops.step(config, batch, sequence) / median * 1e-9;
        TimedEngine.PerStep traffic = engine.traffic(PROFILED);
        Machine machine = Machine.of(opened, engines.threads());
        OptionalDouble mostMib = ProcessMemory.mostMib();
        return new Result(
                engine.name(),
                engine.description(),
                model,
                weights.layout().parameterCount(),
                batch,
                sequence,
                stepMs,
                (double) batch * sequence / median,
                gflops,
                machine == null ? null : machine.gflops(),
                machine == null ? null : gflops / machine.gflops(),
                mostMib.isPresent() ? mostMib.getAsDouble() : null,
                machine == null ? null : machine.memory(),
                opened instanceof TornadoEngine tornado ? tornado.compileSeconds() : null,
                engine.rows(PROFILED),
                first,
                traffic);
    }

    private Parameters weights(Engine engine, ModelConfig config, boolean random) {
        if (!random) {
            return Models.load(
                    engine, Path.of(model), config, spec.commandLine().getErr());
        }
        Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
        Initializer.initialize(weights, 1);
        return weights;
    }

    private static StepMs stepMs(double[] seconds) {
        double[] sorted = seconds.clone();
        Arrays.sort(sorted);
        double median = (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
        return new StepMs(1e3 * median, 1e3 * sorted[0], 1e3 * sorted[sorted.length - 1]);
    }

    private void generate(Engine opened, ModelConfig config, boolean random) {
        TimedEngine engine = new TimedEngine(opened);
        int all = sequence + GENERATION_WARM_UP + steps;
        Parameters weights = weights(engine, config, random);
        KeyValueCache cache = new KeyValueCache(engine, config, all + PROFILED);
        Transformer transformer = Transformer.forGeneration(engine, weights, 1, cache);
        double[] seconds = new double[steps];
        double first = 0;
        for (int position = sequence; position < all; position++) {
            transformer.inputs().position = position;
            long start = System.nanoTime();
            transformer.logits();
            double taken = (System.nanoTime() - start) * 1e-9;
            if (position == sequence) {
                first = taken;
            }
            if (position >= all - steps) {
                seconds[position - all + steps] = taken;
            }
        }
        for (int i = 0; engine.isTimeable() && i < PROFILED; i++) {
            if (i <= 1) {
                // The first is to warm up.
                engine.start();
            }
            transformer.inputs().position = all + i;
            transformer.logits();
        }
        StepMs tokenMs = stepMs(seconds);
        // A token reads every matrix once, the head's included, one row of the embeddings, and the keys and values so
        // far.
        double cached = 2.0 * config.layers() * config.kvHeads() * config.headDim() * (sequence + steps / 2.0);
        double gbPerSecond = 4e-6 * (ModelFlops.matrices(config) + cached) / tokenMs.median();
        TimedEngine.PerStep traffic = engine.traffic(PROFILED - 1);
        Machine machine = Machine.of(opened, engines.threads());
        Machine.Memory memory = machine == null ? null : machine.memory();
        GenerationResult result = new GenerationResult(
                engine.name(),
                engine.description(),
                model,
                weights.layout().parameterCount(),
                sequence,
                tokenMs,
                1e3 / tokenMs.median(),
                gbPerSecond,
                memory,
                memory == null || memory.read() == null ? null : gbPerSecond / memory.read(),
                engine.rows(PROFILED - 1),
                first,
                traffic);
        PrintWriter out = spec.commandLine().getOut();
        if (output.isJson()) {
            out.println(Output.json(result));
            return;
        }
        out.printf("%s, %,d parameters, on %s: %s%n", model, result.parameters(), result.engine(), result.device());
        out.printf(
                "a token after %d others: median %.2f ms (min %.2f, max %.2f), %,.1f tokens/s%n",
                sequence, tokenMs.median(), tokenMs.min(), tokenMs.max(), result.tokensPerSecond());
        out.printf("%.1f GB/s of weights and cache", gbPerSecond);
        if (result.readShare() != null) {
            out.printf(", %.0f %% of the measured %.1f GB/s of reading", 100 * result.readShare(), memory.read());
        } else if (memory != null) {
            out.printf("; copies at %.1f GB/s", memory.copy());
        }
        out.println();
        out.printf("first token after %.1f s%n", first);
        print(result.operations(), result.traffic(), "token");
    }

    private void products() {
        for (int size : products) {
            Range.require(size >= 1 && size <= MOST_PRODUCT, "--products", size, "from 1 to " + MOST_PRODUCT);
        }
        Products.Result result;
        try (Engine engine = engines.open()) {
            engines.announce(engine, spec.commandLine().getErr());
            result = Products.measure(engine, engines.threads(), products, steps);
        }
        PrintWriter out = spec.commandLine().getOut();
        if (output.isJson()) {
            out.println(Output.json(result));
            return;
        }
        out.printf("products on %s: %s%n", result.engine(), result.device());
        if (result.peakGflops() != null) {
            out.printf("measured peak: %,.1f GFLOP/s%n", result.peakGflops());
        }
        out.println();
        Table table = new Table("size", "operation", "ms", "GFLOP/s", "of the peak");
        for (Products.Row row : result.products()) {
            table.row(
                    String.valueOf(row.size()),
                    row.operation(),
                    "%.3f".formatted(row.ms()),
                    "%.1f".formatted(row.gflops()),
                    row.peakShare() == null ? "-" : "%.0f %%".formatted(100 * row.peakShare()));
        }
        table.print(out);
    }

    private void fill(Inputs inputs, int vocabulary) {
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < batch * sequence; i++) {
            inputs.tokens[i] = random.nextInt(vocabulary);
            inputs.targets[i] = random.nextInt(vocabulary);
        }
        inputs.lossScale = 1f / ((float) batch * sequence);
    }

    /** One training step, in seconds. */
    private static double step(Transformer transformer, Optimizer optimizer) {
        long start = System.nanoTime();
        transformer.forwardBackward();
        optimizer.update(1e-5, optimizer.gradientNorm());
        return (System.nanoTime() - start) * 1e-9;
    }

    private void print(Result r) {
        PrintWriter out = spec.commandLine().getOut();
        out.printf("%s, %,d parameters, on %s: %s%n", r.model(), r.parameters(), r.engine(), r.device());
        out.printf(
                "step of %d x %d tokens: median %.1f ms (min %.1f, max %.1f), %,.0f tokens/s%n",
                r.batch(),
                r.sequence(),
                r.stepMs().median(),
                r.stepMs().min(),
                r.stepMs().max(),
                r.tokensPerSecond());
        out.printf("%.1f GFLOP/s", r.gflops());
        if (r.peakGflops() != null) {
            out.printf(", %.0f %% of the measured peak of %.1f", 100 * r.peakShare(), r.peakGflops());
        }
        out.println(r.peakRssMib() == null ? "" : "; most memory %,.0f MiB".formatted(r.peakRssMib()));
        if (r.memory() != null) {
            out.printf("memory: copies at %.1f GB/s", r.memory().copy());
            out.println(
                    r.memory().read() == null
                            ? ""
                            : ", reads at %.1f".formatted(r.memory().read()));
        }
        out.printf("first step in %.1f s", r.firstStepSeconds());
        out.println(r.compileSeconds() == null ? "" : ", %.1f s compiling kernels".formatted(r.compileSeconds()));
        print(r.operations(), r.traffic(), "step");
    }

    private void print(List<TimedEngine.Row> operations, TimedEngine.PerStep traffic, String what) {
        if (operations.isEmpty()) {
            return;
        }
        PrintWriter out = spec.commandLine().getOut();
        if (traffic != null) {
            out.printf(
                    "a %s: %,.0f kernels launched, %,.0f waits of the host for the device, %,.0f uploads (%,.0f KiB),"
                            + " %.1f ms in kernels%n",
                    what,
                    traffic.launches(),
                    traffic.synchronisations(),
                    traffic.uploads(),
                    traffic.uploadedBytes() / 1024,
                    operations.stream().mapToDouble(TimedEngine.Row::ms).sum());
        }
        out.println();
        Table table = new Table(
                traffic == null ? "operation" : "kernel", "calls", "ms per " + what, "share", "GFLOP/s", "GB/s");
        for (TimedEngine.Row row : operations) {
            table.row(
                    row.operation(),
                    String.valueOf(row.calls()),
                    "%.2f".formatted(row.ms()),
                    "%.1f %%".formatted(100 * row.share()),
                    row.gflops() == null ? "-" : "%.1f".formatted(row.gflops()),
                    row.gbPerSecond() == null ? "-" : "%.1f".formatted(row.gbPerSecond()));
        }
        table.print(out);
    }
}
