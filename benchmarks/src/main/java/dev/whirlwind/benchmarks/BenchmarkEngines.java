package dev.whirlwind.benchmarks;

import dev.whirlwind.cpu.CpuEngine;
import dev.whirlwind.model.Engine;
import dev.whirlwind.tornado.Devices;
import dev.whirlwind.tornado.LoopsEngine;
import dev.whirlwind.tornado.TornadoEngine;

/** Engines by the names that benchmarks give them: {@code tornado-gpu} has the kernels for GPUs on whatever device. */
final class BenchmarkEngines {
    private static final String KERNELS = "whirlwind.kernels";

    private BenchmarkEngines() {}

    static Engine open(String name) {
        return switch (name) {
            case "cpu" -> new CpuEngine();
            case "loops" -> new LoopsEngine();
            case "tornado" -> new TornadoEngine(Devices.find(null));
            case "tornado-gpu" -> {
                String before = System.getProperty(KERNELS);
                System.setProperty(KERNELS, "gpu");
                try {
                    yield new TornadoEngine(Devices.find(null));
                } finally {
                    if (before == null) {
                        System.clearProperty(KERNELS);
                    } else {
                        System.setProperty(KERNELS, before);
                    }
                }
            }
            default -> throw new IllegalArgumentException("no engine " + name);
        };
    }

    /** Another engine, to compare results with. */
    static Engine reference(String name) {
        return open(name.equals("cpu") ? "loops" : "cpu");
    }
}
