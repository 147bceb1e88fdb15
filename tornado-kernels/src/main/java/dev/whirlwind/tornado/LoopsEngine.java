package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;

/**
 * Runs the very methods that TornadoVM compiles as plain Java: slow, but there on every machine, and the reference that
 * keeps device kernels honest.
 */
public final class LoopsEngine extends KernelEngine {
    public LoopsEngine() {
        this(Precision.FP32);
    }

    public LoopsEngine(Precision precision) {
        super(precision);
    }

    @Override
    public String name() {
        return "loops";
    }

    @Override
    public String description() {
        return "the device kernels as plain Java loops, 1 thread";
    }

    @Override
    void run(Stage stage) {
        for (Call call : stage.calls()) {
            call.loops().run();
        }
    }

    @Override
    public void download(Buffer buffer, long offset, long length) {}

    @Override
    public void upload(Buffer buffer, long offset, long length) {
        hostChanged(buffer);
    }

    @Override
    public void close() {
        freeHost();
    }
}
