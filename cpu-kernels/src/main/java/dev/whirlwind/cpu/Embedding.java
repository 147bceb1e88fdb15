package dev.whirlwind.cpu;

import dev.whirlwind.model.Inputs;

/**
 * Token plus learned position.
 *
 * <p>forward: out[r] = wte[token[r]] + wpe[position + r % sequence - start[r]];
 *
 * <p>backward: dwte[token[r]] += dout[r]; dwpe[r % sequence - start[r]] += dout[r]. A worker owns some columns of all rows and adds
 * in the order of rows, so that tokens may repeat and the bits do not depend on who owns what.
 */
final class Embedding {
    /** Columns of a worker come in whole cache lines. */
    private static final int LINE = 16;

    private final Workers workers;
    private final StoredWeights stored;
    private final Scratch scratch = new Scratch();
    private final Workers.Task forward = this::forward;
    private final Workers.Task backward = this::backward;

    // The call in progress; addresses.
    private long out;
    private long wte;
    private long wpe;
    private Inputs inputs;
    private int rows;
    private int sequence;
    private int width;
    private int chunk;
    private long floats;

    Embedding(Workers workers, StoredWeights stored) {
        this.workers = workers;
        this.stored = stored;
    }

    /** wpe may be 0 for none; both may be among the stored weights. */
    void forward(long out, long wte, long wpe, Inputs inputs, int batch, int sequence, int width) {
        begin(out, wte, wpe, inputs, batch, sequence, width);
        chunk = Chunks.rowsPerTask(width);
        if (StoredWeights.isStored(wpe)) {
            floats = scratch.reserve((long) workers.threads() * width);
        }
        workers.run(Math.ceilDiv(rows, chunk), forward);
    }

    private void forward(int task, int worker) {
        int end = Math.min(rows, (task + 1) * chunk);
        for (int r = task * chunk; r < end; r++) {
            long row = out + 4L * r * width;
            long token = wte + 4L * inputs.tokens[r] * width;
            long place = wpe == 0 ? 0 : wpe + 4L * (inputs.position + r % sequence - inputs.starts[r]) * width;
            if (StoredWeights.isStored(token)) {
                stored.widen(token, width, row);
                add(row, place, floats + 4L * worker * width);
            } else if (wpe == 0) {
                Memory.copy(token, row, width);
            } else {
                Elementwise.add(row, token, place, width);
            }
        }
    }

    /** Adds a stored place, by way of its floats. */
    private void add(long row, long place, long floats) {
        if (place != 0) {
            stored.widen(place, width, floats);
            Elementwise.add(row, row, floats, width);
        }
    }

    /** dwte and dwpe may be 0 for none. */
    void backward(long dwte, long dwpe, long dout, Inputs inputs, int batch, int sequence, int width) {
        begin(dout, dwte, dwpe, inputs, batch, sequence, width);
        chunk = LINE * Math.ceilDiv(width, LINE * workers.threads());
        workers.run(Math.ceilDiv(width, chunk), backward);
    }

    private void backward(int task, int worker) {
        long columns = 4L * task * chunk;
        int count = Math.min(chunk, width - task * chunk);
        for (int r = 0; r < rows; r++) {
            long row = out + 4L * r * width + columns;
            if (wte != 0) {
                long token = wte + 4L * inputs.tokens[r] * width + columns;
                Elementwise.add(token, token, row, count);
            }
            if (wpe != 0) {
                long place = wpe + 4L * (r % sequence - inputs.starts[r]) * width + columns;
                Elementwise.add(place, place, row, count);
            }
        }
    }

    private void begin(long out, long wte, long wpe, Inputs inputs, int batch, int sequence, int width) {
        this.out = out;
        this.wte = wte;
        this.wpe = wpe;
        this.inputs = inputs;
        this.sequence = sequence;
        this.width = width;
        rows = batch * sequence;
    }
}
