package dev.whirlwind.model;

import java.util.Arrays;

/** What changes from one run of a program to the next; sizes and tensors never do. Engines read it at each run. */
public final class Inputs {
    /** Token ids of the batch, {@code [batch * sequence]}. */
    public final int[] tokens;

    /** The id to be predicted at each place, {@code [batch * sequence]}; negative where nothing is. */
    public final int[] targets;

    /**
     * Where each place's document starts within its sequence, {@code [batch * sequence]}: a place sees nothing before it, and its
     * position counts from there. All 0 where a sequence is one text.
     */
    public final int[] starts;

    /** Where it ends: the place after its last, or more. */
    public final int[] ends;

    /** Position of the batch's first token in its text: above 0 only when generating with a cache. */
    public int position;

    /** What the loss gradient of each predicted place is multiplied by: 1 / predicted tokens of the whole step. */
    public float lossScale = 1;

    /** Dropout masks are a pure function of seed, step, micro-batch, layer, site and element: see {@link Philox}. */
    public long seed;

    public int step;
    public int microBatch;

    /** The learning rate, and AdamW's bias corrections {@code 1 - beta^t} of this step, t from 1. */
    public float learningRate;

    public float biasCorrection1 = 1;
    public float biasCorrection2 = 1;

    /** Adafactor's decay of second moments in this step. */
    public float secondMomentDecay;

    /** What an optimizer multiplies gradients by first: the clipping coefficient. */
    public float gradientScale = 1;

    /** Of a teacher, ids of the likeliest tokens at each place, ascending: {@code [places * top]}; null where none was kept. */
    public int[] taughtTokens;

    /** Their probabilities, and last that of all others together: {@code [places * (top + 1)]}. */
    public float[] taughtProbabilities;

    /** Inputs for {@code places = batch * sequence} tokens. */
    public Inputs(int places) {
        tokens = new int[places];
        targets = new int[places];
        starts = new int[places];
        ends = new int[places];
        joinDocuments();
    }

    /** Makes each sequence one text. */
    void joinDocuments() {
        Arrays.fill(starts, 0);
        Arrays.fill(ends, Integer.MAX_VALUE);
    }

    /** Lets a document end with each {@code separator}; the next starts after it. */
    public void divideDocuments(int separator, int sequence) {
        for (int first = 0; first < tokens.length; first += sequence) {
            int start = 0;
            for (int t = 0; t < sequence; t++) {
                starts[first + t] = start;
                if (t == sequence - 1 || tokens[first + t] == separator) {
                    Arrays.fill(ends, first + start, first + t + 1, t + 1);
                    start = t + 1;
                }
            }
        }
    }

    /** Makes room for what was kept of a teacher. */
    void keepTeacher(int top) {
        taughtTokens = new int[tokens.length * top];
        taughtProbabilities = new float[tokens.length * (top + 1)];
    }

    /**
     * Throws unless every id is in the vocabulary and the position leaves room for the sequence: they become addresses in
     * weights and caches, where a wrong one reads another tensor.
     */
    void require(int vocabulary, int highestPosition) {
        for (int i = 0; i < tokens.length; i++) {
            if (tokens[i] < 0 || tokens[i] >= vocabulary || targets[i] >= vocabulary) {
                throw new UserException("the token id " + Math.max(tokens[i], targets[i])
                        + " is not in the model's vocabulary of " + vocabulary
                        + ": the text was made into tokens for another model; prepare it with this one's tokenizer");
            }
        }
        if (position < 0 || position > highestPosition) {
            throw new IllegalStateException("position " + position + " is not from 0 to " + highestPosition);
        }
    }
}
