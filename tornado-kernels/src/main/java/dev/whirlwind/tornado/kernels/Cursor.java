package dev.whirlwind.tornado.kernels;

import dev.whirlwind.model.Inputs;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Where kernels find what changes from run to run: two small arrays, uploaded before each. TornadoVM bakes scalar
 * arguments into a kernel as literals, so sizes are arguments and everything else lies here: the fields of {@link
 * Inputs} first, then the first element of every tensor of the program, for the current layer. Floats have an array of
 * their own, as the OpenCL back end cannot read an int's bits as a float's where they come from memory.
 */
public final class Cursor {
    public static final int LAYER = 0;
    public static final int POSITION = 1;
    public static final int SEED_LOW = 2;
    public static final int SEED_HIGH = 3;
    public static final int STEP = 4;
    public static final int MICRO_BATCH = 5;
    /** First row of the chunk that a repeated stage works on. */
    public static final int FIRST_ROW = 6;

    /** First tensor. */
    public static final int TENSORS = 7;

    /** Places in the array of floats. */
    public static final int LOSS_SCALE = 0;

    public static final int LEARNING_RATE = 1;
    public static final int BIAS_CORRECTION_1 = 2;
    public static final int BIAS_CORRECTION_2 = 3;
    public static final int GRADIENT_SCALE = 4;
    public static final int SECOND_MOMENT_DECAY = 5;
    public static final int FLOATS = 6;

    private Cursor() {}

    public static void fill(IntArray cursor, Inputs inputs, int layer, int firstRow) {
        cursor.set(LAYER, layer);
        cursor.set(POSITION, inputs.position);
        cursor.set(SEED_LOW, (int) inputs.seed);
        cursor.set(SEED_HIGH, (int) (inputs.seed >>> 32));
        cursor.set(STEP, inputs.step);
        cursor.set(MICRO_BATCH, inputs.microBatch);
        cursor.set(FIRST_ROW, firstRow);
    }

    public static void fill(FloatArray floats, Inputs inputs) {
        floats.set(LOSS_SCALE, inputs.lossScale);
        floats.set(LEARNING_RATE, inputs.learningRate);
        floats.set(BIAS_CORRECTION_1, inputs.biasCorrection1);
        floats.set(BIAS_CORRECTION_2, inputs.biasCorrection2);
        floats.set(GRADIENT_SCALE, inputs.gradientScale);
        floats.set(SECOND_MOMENT_DECAY, inputs.secondMomentDecay);
    }
}
