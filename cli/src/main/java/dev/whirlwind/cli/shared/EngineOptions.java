package dev.whirlwind.cli.shared;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import java.io.PrintWriter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What every command that computes is asked. */
public final class EngineOptions {
    @Option(
            names = "--engine",
            paramLabel = "ENGINE",
            defaultValue = Engines.AUTO,
            description =
                    "What computes: cpu (all cores), tornado (a GPU through TornadoVM), loops (TornadoVM's kernels as"
                            + " plain Java, slow) or auto, which takes the fastest that works here. Default: ${DEFAULT-VALUE}.")
    private String engine;

    @Option(
            names = "--device",
            paramLabel = "ID",
            description = "Device of the tornado engine, as devices lists them. Default: the first GPU.")
    private String device;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Threads of the cpu engine; 0, the default, for one per core.")
    private int threads;

    @Option(
            names = "--precision",
            paramLabel = "FORMAT",
            defaultValue = "fp32",
            description =
                    "What activations are kept as, and matrix products read, on the tornado engine: fp32, bf16 or fp16;"
                            + " weights, gradients and sums stay fp32. Default: ${DEFAULT-VALUE}.")
    private Precision precision;

    @Mixin
    private PlanOption plan;

    private boolean announced;

    public Engine open() {
        Engines.requireUse(engine, device, precision);
        return Engines.open(engine, device, threads, precision);
    }

    /** Says once which engine auto took; to be called when nothing of the input can be wrong any more. */
    public void announce(Engine opened, PrintWriter err) {
        if (engine.equals(Engines.AUTO) && !announced) {
            err.println(Engines.choice(opened));
            announced = true;
        }
    }

    /** The memory that may be taken. */
    public MemoryCheck memory() {
        return plan.memory();
    }

    /** The engine's name as it was given. */
    public String name() {
        return engine;
    }

    /** The device's id as it was given, or null. */
    public String device() {
        return device;
    }

    /** The number of threads as it was given. */
    public int given() {
        return threads;
    }

    /** What activations are to be kept as. */
    public Precision precision() {
        return precision;
    }

    /** Threads that the cpu engine has. */
    public int threads() {
        return Engines.threads(threads);
    }
}
