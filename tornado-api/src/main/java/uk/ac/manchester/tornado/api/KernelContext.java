package uk.ac.manchester.tornado.api;

import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

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

    public int[] allocateIntLocalArray(int size) {
        throw NoRuntime.error();
    }

    // Products on tensor cores, CUDA only: what follows is done by the 32 work items of a warp together, and fragments
    // are
    // registers that all of them hold parts of.

    /** Sums of 16 x 8 results, all with the same value. */
    public float[] mmaFragment(float v) {
        throw NoRuntime.error();
    }

    /** 16 rows by 16 in depth, two neighbours in depth an int: rows of 32 bytes from byteOffset on, which items may move. */
    public HalfFloat[] mmaLoadA(int[] aTile, int wmmaK, int byteOffset) {
        throw NoRuntime.error();
    }

    /** 16 in depth by 8 columns, two neighbours among the columns an int: rows of 16 bytes. */
    public HalfFloat[] mmaLoadB(int[] bTile, int wmmaK, int byteOffset) {
        throw NoRuntime.error();
    }

    /** The sum of c and the product of binary16 numbers. */
    public float[] mma(HalfFloat[] fragA, HalfFloat[] fragB, float[] fragC, MMAShape mmaShape) {
        throw NoRuntime.error();
    }

    /** The same of bfloat16 numbers. */
    public float[] mmaBF16(HalfFloat[] fragA, HalfFloat[] fragB, float[] fragC, MMAShape mmaShape) {
        throw NoRuntime.error();
    }

    /** c[tileRow + i, tileCol + j] = the results, in rows of dimN. */
    public void mmaStore(float[] fragD, FloatArray c, int tileRow, int tileCol, int dimN) {
        throw NoRuntime.error();
    }
}
