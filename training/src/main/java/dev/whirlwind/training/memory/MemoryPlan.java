package dev.whirlwind.training.memory;

import java.util.Set;

/**
 * Where memory is taken.
 *
 * @param host by this process
 * @param device of a device with memory of its own; nothing where there is none
 */
public record MemoryPlan(MemoryUse host, MemoryUse device) {
    /** What the host keeps, too: it is loaded there, or comes there to be saved. */
    private static final Set<Purpose> MIRRORED =
            Set.of(Purpose.WEIGHTS, Purpose.MOMENTS, Purpose.EMA, Purpose.ANCHOR, Purpose.TEACHER);

    /** TornadoVM with its compiler, and its drivers. */
    private static final long TORNADO = 384L << 20;

    /** For an engine that computes in the host's memory. */
    public static MemoryPlan onHost(MemoryUse use) {
        return new MemoryPlan(use, MemoryUse.NONE);
    }

    /**
     * For one that computes on a device.
     *
     * @param shared whether the device's memory is the host's
     */
    public static MemoryPlan onDevice(MemoryUse use, boolean shared) {
        MemoryUse host = MemoryUse.of(Purpose.JAVA, use.of(Purpose.JAVA) + TORNADO);
        MemoryUse device = MemoryUse.NONE;
        for (Purpose purpose : use.parts().keySet()) {
            MemoryUse part = MemoryUse.of(purpose, use.of(purpose));
            host = MIRRORED.contains(purpose) ? host.plus(part) : host;
            device = purpose == Purpose.JAVA ? device : device.plus(part);
        }
        return shared ? onHost(host.plus(device)) : new MemoryPlan(host, device);
    }

    /** The same and some more of the host's memory. */
    public MemoryPlan plus(long bytes) {
        return new MemoryPlan(host.plus(MemoryUse.of(Purpose.SCRATCH, bytes)), device);
    }
}
