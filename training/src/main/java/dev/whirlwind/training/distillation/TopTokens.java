package dev.whirlwind.training.distillation;

import dev.whirlwind.model.UserException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.IntStream;

/** The likeliest tokens of one place, of equal ones those with the lower ids, and their probabilities at a temperature. */
final class TopTokens {
    private final double temperature;
    private final int[] ids;
    private final float[] probabilities;

    /** The logits of the tokens that are the likeliest so far, the least of them first: a heap. */
    private final float[] heap;

    TopTokens(int top, double temperature) {
        this.temperature = temperature;
        ids = new int[top];
        heap = new float[top];
        probabilities = new float[top + 1];
    }

    /** Of {@code count} rows of logits from {@code first} on, on all cores. */
    static void all(TopTokens[] rows, int first, int count, MemorySegment logits, int vocabulary) {
        IntStream.range(0, count).parallel().forEach(row -> {
            MemorySegment of = logits.asSlice((long) Float.BYTES * row * vocabulary, (long) Float.BYTES * vocabulary);
            rows[first + row].choose(of.toArray(ValueLayout.JAVA_FLOAT));
        });
    }

    /** Ascending. */
    int[] ids() {
        return ids;
    }

    /** In the order of the ids; last that of all other tokens. */
    float[] probabilities() {
        return probabilities;
    }

    /** @param logits of one place, which are changed */
    void choose(float[] logits) {
        int top = ids.length;
        for (int i = 0; i < top; i++) {
            ids[i] = i;
            heap[i] = logits[i];
        }
        for (int i = top / 2 - 1; i >= 0; i--) {
            sink(i);
        }
        for (int i = top; i < logits.length; i++) {
            // Of equal logits the first stays.
            if (logits[i] > heap[0]) {
                heap[0] = logits[i];
                ids[0] = i;
                sink(0);
            }
        }
        float most = Float.NEGATIVE_INFINITY;
        for (float logit : heap) {
            most = Math.max(most, logit);
        }
        Arrays.sort(ids);
        double[] exponentials = new double[top];
        double sum = 0;
        for (int i = 0; i < top; i++) {
            exponentials[i] = Math.exp((logits[ids[i]] - (double) most) / temperature);
            sum += exponentials[i];
            logits[ids[i]] = Float.NEGATIVE_INFINITY;
        }
        double rest = 0;
        for (float logit : logits) {
            rest += Math.exp((logit - (double) most) / temperature);
        }
        if (!Double.isFinite(sum + rest)) {
            throw new UserException("the teacher's logits are not finite, with which nothing can be taught");
        }
        for (int i = 0; i < top; i++) {
            probabilities[i] = (float) (exponentials[i] / (sum + rest));
        }
        probabilities[top] = (float) (rest / (sum + rest));
    }

    /** Whether one is to leave the heap before the other: less likely, or of equals the one with the higher id. */
    private boolean leaves(int i, int j) {
        return heap[i] < heap[j] || (heap[i] == heap[j] && ids[i] > ids[j]);
    }

    private void sink(int i) {
        while (true) {
            int least = i;
            for (int child = 2 * i + 1; child <= 2 * i + 2 && child < heap.length; child++) {
                least = leaves(child, least) ? child : least;
            }
            if (least == i) {
                return;
            }
            float logit = heap[i];
            int id = ids[i];
            heap[i] = heap[least];
            ids[i] = ids[least];
            heap[least] = logit;
            ids[least] = id;
            i = least;
        }
    }
}
