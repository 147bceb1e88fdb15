package dev.whirlwind.cli.shared;

import dev.whirlwind.cpu.CpuEngine;
import dev.whirlwind.cpu.MemoryBenchmark;
import dev.whirlwind.cpu.PeakBenchmark;
import dev.whirlwind.model.Engine;
import dev.whirlwind.tornado.DevicePeak;
import dev.whirlwind.tornado.TornadoEngine;

/**
 * What the machine gives at most, measured in the same run as what is compared with it: the CPU, or a GPU.
 *
 * @param gflops 10^9 fp32 operations per second
 */
public record Machine(double gflops, Memory memory) {
    private static final int PEAK_MEASUREMENTS = 30;
    private static final int QUICK_MEASUREMENTS = 5;
    private static final int MEMORY_MEASUREMENTS = 10;

    /**
     * In 10^9 bytes per second.
     *
     * @param copy of a copy, bytes read and bytes written together
     * @param read of reading only; null of a GPU
     */
    public record Memory(double copy, Double read) {}

    /** What the CPU's cores give, measured in a tenth of a second; null where an engine computes elsewhere. */
    public static Double cpuPeak(Engine engine, int threads) {
        return engine instanceof CpuEngine ? PeakBenchmark.gflops(Engines.threads(threads), QUICK_MEASUREMENTS) : null;
    }

    /** Of what an engine runs on; null for one that nothing is known to compare with. */
    public static Machine of(Engine engine, int threads) {
        if (engine instanceof TornadoEngine tornado && tornado.device().isGpu()) {
            DevicePeak peak = tornado.peak();
            return new Machine(peak.gflops(), new Memory(peak.copy(), null));
        }
        if (engine.name().equals("loops")) {
            return null;
        }
        MemoryBenchmark.Result memory = MemoryBenchmark.measure(threads, MEMORY_MEASUREMENTS);
        return new Machine(PeakBenchmark.gflops(threads, PEAK_MEASUREMENTS), new Memory(memory.copy(), memory.read()));
    }
}
