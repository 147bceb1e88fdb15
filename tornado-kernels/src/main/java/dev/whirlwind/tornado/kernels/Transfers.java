package dev.whirlwind.tornado.kernels;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Kernels that only move data about for the engine itself. */
public final class Transfers {
    /** Arrays that {@link #wTouch} takes. */
    public static final int TOUCHED = 12;

    /** Arrays that {@link #wTouchInts} takes. */
    public static final int TOUCHED_INTS = 4;

    private Transfers() {}

    /**
     * Does nothing that anybody sees, but seems to read and write all its arrays: TornadoVM allocates and uploads only
     * what a task uses. no.get(0) is 0.
     */
    public static void wTouch(
            IntArray no,
            FloatArray a,
            FloatArray b,
            FloatArray c,
            FloatArray d,
            FloatArray e,
            FloatArray f,
            FloatArray g,
            FloatArray h,
            FloatArray i,
            FloatArray j,
            FloatArray k,
            FloatArray l) {
        for (@Parallel int item = 0; item < 1; item++) {
            if (no.get(0) != 0) {
                a.set(item, a.get(item) + 1f);
                b.set(item, b.get(item) + 1f);
                c.set(item, c.get(item) + 1f);
                d.set(item, d.get(item) + 1f);
                e.set(item, e.get(item) + 1f);
                f.set(item, f.get(item) + 1f);
                g.set(item, g.get(item) + 1f);
                h.set(item, h.get(item) + 1f);
                i.set(item, i.get(item) + 1f);
                j.set(item, j.get(item) + 1f);
                k.set(item, k.get(item) + 1f);
                l.set(item, l.get(item) + 1f);
            }
        }
    }

    /** The same for arrays of ints. */
    public static void wTouchInts(IntArray no, IntArray a, IntArray b, IntArray c, IntArray d) {
        for (@Parallel int item = 0; item < 1; item++) {
            if (no.get(0) != 0) {
                a.set(item, a.get(item) + 1);
                b.set(item, b.get(item) + 1);
                c.set(item, c.get(item) + 1);
                d.set(item, d.get(item) + 1);
            }
        }
    }

    /** array[where[0] ...] = the first where[1] floats of the staging area. */
    public static void wUpload(IntArray where, FloatArray staging, FloatArray array, int size) {
        int first = where.get(0);
        int count = where.get(1);
        for (@Parallel int i = 0; i < size; i++) {
            if (i < count) {
                array.set(first + i, staging.get(i));
            }
        }
    }

    /** The same of ints. */
    public static void wUploadInts(IntArray where, IntArray staging, IntArray array, int size) {
        int first = where.get(0);
        int count = where.get(1);
        for (@Parallel int i = 0; i < size; i++) {
            if (i < count) {
                array.set(first + i, staging.get(i));
            }
        }
    }

    /** A kernel whose result is known, to see that this device computes at all. */
    public static void wCanary(IntArray out, int n) {
        for (@Parallel int i = 0; i < n; i++) {
            out.set(i, 3 * i + 1);
        }
    }
}
