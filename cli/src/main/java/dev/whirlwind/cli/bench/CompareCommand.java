package dev.whirlwind.cli.bench;

import dev.whirlwind.cli.shared.Engines;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.PlanOption;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.training.optimizers.Optimizer;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "compare",
        description = "Trains the same model on the same random tokens on two engines, and shows losses, worst"
                + " differences and speeds side by side.")
public final class CompareCommand implements Callable<Integer> {
    /** A few batches in turn, so that the losses fall. */
    private static final int BATCHES = 5;

    private static final double LEARNING_RATE = 1e-3;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--engines",
            paramLabel = "A,B",
            split = ",",
            required = true,
            description = "Two of cpu, tornado, loops; such as cpu,tornado, or tornado,tornado:bf16 with 16 bits.")
    private String[] names;

    @Option(names = "--device", paramLabel = "ID", description = "Device of the tornado engine: see devices.")
    private String device;

    @Option(names = "--threads", paramLabel = "N", defaultValue = "0", description = "Threads of the cpu engine.")
    private int threads;

    @Option(
            names = "--model",
            paramLabel = "PRESET|DIR",
            defaultValue = "byte-tiny",
            description = "A preset with random weights, or a model folder. Default: ${DEFAULT-VALUE}.")
    private String model;

    @Option(
            names = "--batch",
            defaultValue = "4",
            description = "Sequences of a micro-batch. Default: ${DEFAULT-VALUE}.")
    private int batch;

    @Option(names = "--sequence", defaultValue = "64", description = "Tokens of one. Default: ${DEFAULT-VALUE}.")
    private int sequence;

    @Option(
            names = "--accumulation",
            defaultValue = "2",
            description = "Micro-batches of a step. Default: ${DEFAULT-VALUE}.")
    private int accumulation;

    @Option(names = "--steps", defaultValue = "50", description = "Steps. Default: ${DEFAULT-VALUE}.")
    private int steps;

    @Option(names = "--dropout", defaultValue = "0.1", description = "Dropout probability. Default: ${DEFAULT-VALUE}.")
    private float dropout;

    @Mixin
    private PlanOption plan;

    @Mixin
    private Output output;

    /** What one engine made of it; the first step, which may compile, counts apart. */
    private record Trained(
            String engine,
            String description,
            List<Double> losses,
            List<Double> norms,
            MemorySegment weights,
            double firstStepSeconds,
            double medianStepSeconds) {}

    @Override
    public Integer call() {
        if (names.length != 2 || batch < 1 || sequence < 1 || accumulation < 1 || steps < 1 || steps > 1_000_000) {
            throw new UsageException(
                    "compare takes two engines (--engines cpu,loops), and sizes of 1 or more, of steps 1000000 at most");
        }
        requireMemory();
        Trained a = train(names[0]);
        Trained b = train(names[1]);
        if (output.isJson()) {
            spec.commandLine().getOut().println(Output.json(json(a, b)));
        } else {
            print(a, b);
        }
        return 0;
    }

    private boolean isPreset() {
        return ModelConfig.PRESETS.contains(model);
    }

    private ModelConfig config() {
        return (isPreset() ? ModelConfig.preset(model) : ModelFolder.config(Path.of(model))).withDropout(dropout);
    }

    /** For one engine at a time, and what both make of the weights. */
    private void requireMemory() {
        ModelConfig config = isPreset() ? config() : ModelFolder.check(Path.of(model), config());
        long trained = 2 * Float.BYTES * new ParameterLayout(config).length();
        plan.memory()
                .requireTraining(
                        config,
                        Map.of("batch", batch, "sequence", sequence, "accumulation", accumulation),
                        Set.of("batch", "sequence", "accumulation"),
                        trained);
    }

    /** By a name that may have a precision behind a colon. */
    private Engine open(String name) {
        int colon = name.indexOf(':');
        if (colon < 0) {
            return Engines.open(name, device, threads, Precision.FP32);
        }
        String format = name.substring(colon + 1).toUpperCase(Locale.ROOT);
        Precision precision = Stream.of(Precision.values())
                .filter(p -> p.name().equals(format))
                .findFirst()
                .orElseThrow(() -> new UsageException(
                        "there is no precision \"" + name.substring(colon + 1) + "\"; choose fp32, bf16 or fp16"));
        return Engines.open(name.substring(0, colon), device, threads, precision);
    }

    private Trained train(String name) {
        boolean preset = isPreset();
        ModelConfig config = config();
        try (Engine engine = open(name)) {
            Parameters weights;
            if (preset) {
                weights = new Parameters(engine, new ParameterLayout(config), "weights");
                Initializer.initialize(weights, 1);
            } else {
                weights = Models.load(
                        engine, Path.of(model), config, spec.commandLine().getErr());
            }
            Transformer transformer = Transformer.forTraining(engine, weights, batch, sequence, false);
            Optimizer optimizer = new Optimizer(engine, transformer, new AdamW(0.9f, 0.95f, 1e-8f, 0.1f), 1);
            List<Double> losses = new ArrayList<>();
            List<Double> norms = new ArrayList<>();
            double[] seconds = new double[steps];
            for (int step = 0; step < steps; step++) {
                long start = System.nanoTime();
                losses.add(forwardBackward(transformer, step, config.vocabularySize()));
                norms.add(optimizer.gradientNorm());
                optimizer.update(LEARNING_RATE, norms.getLast());
                seconds[step] = (System.nanoTime() - start) * 1e-9;
            }
            weights.download();
            MemorySegment trained =
                    Arena.ofAuto().allocate(weights.buffer().segment().byteSize(), 64);
            trained.copyFrom(weights.buffer().segment());
            double[] sorted = Arrays.copyOfRange(seconds, Math.min(1, steps - 1), steps);
            Arrays.sort(sorted);
            return new Trained(
                    name, engine.description(), losses, norms, trained, seconds[0], sorted[sorted.length / 2]);
        }
    }

    private double forwardBackward(Transformer transformer, int step, int vocabulary) {
        Inputs inputs = transformer.inputs();
        int places = batch * sequence;
        inputs.lossScale = 1f / ((float) places * accumulation);
        inputs.step = step;
        inputs.seed = 1234;
        double nll = 0;
        for (int micro = 0; micro < accumulation; micro++) {
            inputs.microBatch = micro;
            SplittableRandom random = new SplittableRandom((step * accumulation + micro) % BATCHES);
            for (int i = 0; i < places; i++) {
                inputs.tokens[i] = random.nextInt(vocabulary);
                inputs.targets[i] = random.nextInt(vocabulary);
            }
            nll += transformer.forwardBackward();
        }
        return nll / ((double) places * accumulation);
    }

    private static double largest(List<Double> a, List<Double> b, boolean relative) {
        double largest = 0;
        for (int i = 0; i < a.size(); i++) {
            largest = Math.max(largest, Math.abs(a.get(i) - b.get(i)) / (relative ? Math.abs(a.get(i)) : 1));
        }
        return largest;
    }

    private static double largest(MemorySegment a, MemorySegment b) {
        double largest = 0;
        for (long i = 0; i < a.byteSize() / Float.BYTES; i++) {
            double x = a.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            largest = Math.max(largest, Math.abs(x - b.getAtIndex(ValueLayout.JAVA_FLOAT, i)));
        }
        return largest;
    }

    private double tokensPerSecond(Trained trained) {
        return (double) batch * sequence * accumulation / trained.medianStepSeconds();
    }

    private Map<String, Object> json(Trained trained) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("engine", trained.engine());
        json.put("device", trained.description());
        json.put("losses", trained.losses());
        json.put("tokens_per_second", tokensPerSecond(trained));
        json.put("first_step_seconds", trained.firstStepSeconds());
        return json;
    }

    private Map<String, Object> json(Trained a, Trained b) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("model", model);
        json.put("batch", batch);
        json.put("sequence", sequence);
        json.put("accumulation", accumulation);
        json.put("steps", steps);
        json.put("dropout", dropout);
        json.put("a", json(a));
        json.put("b", json(b));
        json.put("max_loss_difference", largest(a.losses(), b.losses(), false));
        json.put("max_grad_norm_relative_difference", largest(a.norms(), b.norms(), true));
        json.put("max_weight_difference", largest(a.weights(), b.weights()));
        return json;
    }

    private void print(Trained a, Trained b) {
        PrintWriter out = spec.commandLine().getOut();
        Table losses = new Table("step", "loss " + a.engine(), "loss " + b.engine(), "difference");
        int shown = Math.max(1, steps / 10);
        for (int i = 0; i < steps; i++) {
            if (i % shown == 0 || i == steps - 1) {
                losses.row(
                        String.valueOf(i + 1),
                        "%.6f".formatted(a.losses().get(i)),
                        "%.6f".formatted(b.losses().get(i)),
                        "%.1e".formatted(Math.abs(a.losses().get(i) - b.losses().get(i))));
            }
        }
        losses.print(out);
        out.printf(
                "%nworst of %d steps: loss %.1e, gradient norm %.1e (relative); weights after them %.1e%n%n",
                steps,
                largest(a.losses(), b.losses(), false),
                largest(a.norms(), b.norms(), true),
                largest(a.weights(), b.weights()));
        Table speeds = new Table("engine", "tokens/s", "ratio", "first step s", "device");
        for (Trained trained : List.of(a, b)) {
            speeds.row(
                    trained.engine(),
                    "%.0f".formatted(tokensPerSecond(trained)),
                    "%.2f".formatted(tokensPerSecond(trained) / tokensPerSecond(a)),
                    "%.1f".formatted(trained.firstStepSeconds()),
                    trained.description());
        }
        speeds.print(out);
    }
}
