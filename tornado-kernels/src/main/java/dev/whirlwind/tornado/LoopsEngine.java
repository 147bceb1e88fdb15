package dev.whirlwind.tornado;

import dev.whirlwind.model.Precision;
import java.util.Locale;

/**
 * Runs the very methods that TornadoVM compiles as plain Java: slow, but there on every machine, and the reference that
 * keeps device kernels honest.
 */
public final class LoopsEngine extends KernelEngine {
    public LoopsEngine() {
        this(Precision.FP32);
    }

    public LoopsEngine(Precision precision) {
        super(precision, Long.MAX_VALUE);
    }

    @Override
    public String name() {
        return "loops";
    }

    @Override
    public String description() {
        String format = precision().isHalf() ? ", " + precision().name().toLowerCase(Locale.ROOT) : "";
        return "the device kernels as plain Java loops, 1 thread" + format;
    }

    @Override
    void run(Stage stage) {
        for (Call call : stage.calls()) {
            call.loops().run();
        }
    }

    @Override
    void fetch(Memory memory, long offset, long length) {}

    @Override
    void send(Memory memory, long offset, long length) {}

    @Override
    void fetch(BlockMemory memory) {}

    @Override
    void send(BlockMemory memory) {}

    @Override
    public void close() {
        freeHost();
    }
}
