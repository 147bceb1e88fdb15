package uk.ac.manchester.tornado.api;

/** A work item's place in its grid, and the memory and barriers that it shares with its group; only on a device. */
public class KernelContext {
    public final Integer globalIdx = 0;
    public final Integer globalIdy = 0;
    public final Integer localIdx = 0;
    public final Integer localIdy = 0;
    public final Integer groupIdx = 0;
    public final Integer groupIdy = 0;

    public KernelContext() {}

    public void globalBarrier() {
        throw NoRuntime.error();
    }

    public void localBarrier() {
        throw NoRuntime.error();
    }

    public float[] allocateFloatLocalArray(int size) {
        throw NoRuntime.error();
    }
}
