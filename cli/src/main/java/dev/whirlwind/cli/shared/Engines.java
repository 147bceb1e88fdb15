package dev.whirlwind.cli.shared;

import dev.whirlwind.cli.terminal.CompileProgress;
import dev.whirlwind.cli.terminal.Terminal;
import dev.whirlwind.cpu.CpuEngine;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.tornado.DeviceInfo;
import dev.whirlwind.tornado.Devices;
import dev.whirlwind.tornado.LoopsEngine;
import dev.whirlwind.tornado.TornadoEngine;
import dev.whirlwind.training.config.Range;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The engines by name, and which of them can be used here. */
public final class Engines {
    public static final String AUTO = "auto";

    private static final List<String> NAMES = List.of("cpu", "tornado", "loops");

    /**
     * What is known of an engine.
     *
     * @param device id of its device, or null where there is no choice
     * @param description the device in words, or why the engine cannot be used
     */
    public record Found(String name, String device, boolean usable, String description) {}

    private Engines() {}

    /**
     * An engine, ready to compute.
     *
     * @param name cpu, tornado, loops or auto
     * @param device id of the tornado engine's device; null for the first GPU, or else the first device
     * @param threads of the cpu engine; 0 for all cores
     * @param precision what activations are kept as
     */
    public static Engine open(String name, String device, int threads, Precision precision) {
        return switch (name) {
            case "cpu" -> cpu(threads, precision);
            case "tornado" -> tornado(Devices.find(device), precision);
            case "loops" -> new LoopsEngine(precision);
            case AUTO -> automatic(device, threads, precision);
            default -> throw unknown(name);
        };
    }

    /** A GPU that works, else the CPU, with vectors if this Java has them. */
    private static Engine automatic(String device, int threads, Precision precision) {
        Optional<DeviceInfo> gpu = gpu(device);
        return gpu.isPresent()
                ? tornado(gpu.get(), precision)
                : open(hasVectors() ? "cpu" : "loops", null, threads, precision);
    }

    private static Engine tornado(DeviceInfo device, Precision precision) {
        return new TornadoEngine(device, precision, new CompileProgress(System.err, Terminal.interactive()));
    }

    private static Optional<DeviceInfo> gpu(String device) {
        if (device != null) {
            return Optional.of(Devices.find(device));
        }
        try {
            return Devices.list().stream().filter(DeviceInfo::isGpu).findFirst();
        } catch (UserException e) {
            return Optional.empty();
        }
    }

    /** The device with memory of its own that an engine of this name would compute on; empty where it is the host's. */
    public static Optional<DeviceInfo> device(String name, String device) {
        return switch (name) {
            case "tornado" -> Optional.of(Devices.find(device));
            case AUTO -> gpu(device);
            default -> Optional.empty();
        };
    }

    private static Engine cpu(int threads, Precision precision) {
        requireUse("cpu", null, precision);
        if (!hasVectors()) {
            throw new UserException("the cpu engine needs Java's Vector API; start with ./whirlwind, or java with"
                    + " --add-modules jdk.incubator.vector, or take --engine loops, which is slow");
        }
        return new CpuEngine(threads(threads));
    }

    private static boolean hasVectors() {
        return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
    }

    /** Throws if a device is named for an engine that has none, or a precision that it does not compute with. */
    public static void requireUse(String name, String device, Precision precision) {
        if (precision.isHalf() && isCpu(name, device)) {
            throw new UsageException("--precision " + precision.name().toLowerCase(Locale.ROOT)
                    + " is for the tornado engine; the cpu engine, which was chosen, computes with fp32");
        }
        if (device != null && (name.equals("cpu") || name.equals("loops"))) {
            throw new UsageException("--device " + device + " names a device of the tornado engine, but the engine is "
                    + name + "; leave --device out, or take --engine tornado");
        }
    }

    private static boolean isCpu(String name, String device) {
        return name.equals("cpu")
                || (name.equals(AUTO) && hasVectors() && gpu(device).isEmpty());
    }

    /** Throws unless there is such an engine, whether it works here or not. */
    public static void require(String name) {
        if (!NAMES.contains(name) && !name.equals(AUTO)) {
            throw unknown(name);
        }
    }

    private static UsageException unknown(String name) {
        return new UsageException(
                "there is no engine \"" + name + "\"; choose " + String.join(", ", NAMES) + " or " + AUTO);
    }

    /** What auto took, and why, for people. */
    public static String choice(Engine engine) {
        String why = switch (engine.name()) {
            case "tornado" -> "TornadoVM has a GPU";
            case "cpu" -> Devices.problem().orElse("no GPU through TornadoVM; see devices");
            default -> "this Java was started without the Vector API, so it is slow";
        };
        return "engine " + engine.name() + " (" + why + "): " + engine.description();
    }

    /** The number that {@code threads} means: 0 is one per core. */
    static int threads(int threads) {
        Range.THREADS.check("--threads", threads);
        return threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
    }

    /** All engines and devices, usable or not; a TornadoVM device is usable when a small kernel ran right on it. */
    public static List<Found> find() {
        List<Found> found = new ArrayList<>();
        found.add(tried("cpu", null, "", () -> cpu(0, Precision.FP32)));
        found.add(tried("loops", null, "", LoopsEngine::new));
        try {
            for (DeviceInfo device : Devices.list()) {
                String memory =
                        String.format(Locale.ROOT, ", %.1f GiB, %s", device.memory() / 0x1p30, device.platform());
                found.add(tried("tornado", device.id(), memory, () -> new TornadoEngine(device)));
            }
            Devices.leftOut().ifPresent(why -> found.add(new Found("tornado", null, false, why)));
        } catch (UserException e) {
            found.add(new Found("tornado", null, false, e.getMessage()));
        }
        return found;
    }

    private interface Opening {
        Engine open();
    }

    private static Found tried(String name, String device, String more, Opening opening) {
        try (Engine engine = opening.open()) {
            return new Found(name, device, true, engine.description() + more);
        } catch (UserException e) {
            return new Found(name, device, false, e.getMessage());
        }
    }
}
