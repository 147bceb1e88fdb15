package dev.whirlwind.model;

import static dev.whirlwind.model.Reference.kvHead;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;

/**
 * The slowest engine: one thread, double arithmetic, floats in native memory. Forward operations are {@link Reference};
 * backward ones are the derivatives as they are written in {@link Ops}. For tests of the model without a fast engine,
 * and to prove {@link OpsContract} itself.
 */
public final class ReferenceEngine implements Engine {
    private final Arena arena = Arena.ofShared();

    private record Memory(MemorySegment segment) implements Buffer {
        @Override
        public long length() {
            return segment.byteSize() / Float.BYTES;
        }
    }

    @Override
    public String name() {
        return "reference";
    }

    @Override
    public String description() {
        return "plain loops in double precision";
    }

    @Override
    public Precision precision() {
        return Precision.FP32;
    }

    @Override
    public boolean readsFiles() {
        return false;
    }

    @Override
    public Buffer allocateWeights(String name, List<Format.Span> spans, long[] starts) {
        throw new UnsupportedOperationException("the reference keeps doubles");
    }

    @Override
    public Buffer allocate(String name, long length, long[] starts) {
        return allocate(name, length);
    }

    @Override
    public Buffer allocateActivations(String name, long length, long[] starts) {
        return allocateActivations(name, length);
    }

    @Override
    public Buffer allocateActivations(String name, long length) {
        return allocate(name, length);
    }

    @Override
    public Buffer allocate(String name, long length) {
        return new Memory(arena.allocate(length * Float.BYTES, Float.BYTES));
    }

    @Override
    public void run(Program program, Inputs inputs, int layer) {
        program.run(new Loops(inputs, layer));
    }

    @Override
    public void download(Buffer buffer, long offset, long length) {}

    @Override
    public void upload(Buffer buffer, long offset, long length) {}

    @Override
    public void close() {
        arena.close();
    }

    private record Loops(Inputs inputs, int layer) implements Ops {
        private double[] get(Tensor tensor, int length) {
            double[] values = new double[length];
            for (int i = 0; i < values.length; i++) {
                values[i] = tensor.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, tensor.offset(layer) + i);
            }
            return values;
        }

        private void set(Tensor tensor, double[] values) {
            for (int i = 0; i < values.length; i++) {
                tensor.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, tensor.offset(layer) + i, (float)
                        values[i]);
            }
        }

        private void accumulate(Tensor tensor, double[] values) {
            if (tensor != null) {
                set(tensor, Reference.add(get(tensor, values.length), values));
            }
        }

        @Override
        public void embed(Tensor out, Tensor wte, Tensor wpe, int batch, int sequence, int width) {
            int vocabulary =
                    Arrays.stream(inputs.tokens, 0, batch * sequence).max().orElseThrow() + 1;
            double[] places = wpe == null ? null : get(wpe, (inputs.position + sequence) * width);
            set(out, Reference.embed(inputs, get(wte, vocabulary * width), places, batch, sequence, width));
        }

        @Override
        public void embedBackward(Tensor dwte, Tensor dwpe, Tensor dout, int batch, int sequence, int width) {
            double[] rows = get(dout, batch * sequence * width);
            for (int r = 0; r < batch * sequence; r++) {
                double[] row = Arrays.copyOfRange(rows, r * width, (r + 1) * width);
                if (dwte != null) {
                    accumulate(dwte.skip((long) inputs.tokens[r] * width), row);
                }
                if (dwpe != null) {
                    accumulate(dwpe.skip((long) (r % sequence - inputs.starts[r]) * width), row);
                }
            }
        }

        @Override
        public void layerNorm(
                Tensor out,
                Tensor mean,
                Tensor rstd,
                Tensor x,
                Tensor weight,
                Tensor bias,
                int rows,
                int width,
                float eps) {
            double[] xs = get(x, rows * width);
            set(out, Reference.layerNorm(xs, get(weight, width), get(bias, width), rows, width, eps));
            set(mean, Reference.mean(xs, rows, width));
            set(rstd, Reference.layerNormRstd(xs, rows, width, eps));
        }

        @Override
        public void layerNormBackward(
                Tensor dx,
                Tensor dweight,
                Tensor dbias,
                Tensor dout,
                Tensor x,
                Tensor mean,
                Tensor rstd,
                Tensor weight,
                int rows,
                int width) {
            double[] g = get(dout, rows * width);
            double[] w = get(weight, width);
            double[] means = get(mean, rows);
            double[] rstds = get(rstd, rows);
            double[] n = get(x, rows * width);
            double[] gw = new double[n.length];
            double[] dw = new double[width];
            double[] db = new double[width];
            for (int i = 0; i < n.length; i++) {
                n[i] = (n[i] - means[i / width]) * rstds[i / width];
                gw[i] = g[i] * w[i % width];
                dw[i % width] += g[i] * n[i];
                db[i % width] += g[i];
            }
            double[] meanG = Reference.mean(gw, rows, width);
            double[] meanGn = Reference.mean(Reference.times(gw, n), rows, width);
            double[] d = new double[n.length];
            for (int i = 0; i < d.length; i++) {
                d[i] = rstds[i / width] * (gw[i] - meanG[i / width] - n[i] * meanGn[i / width]);
            }
            accumulate(dx, d);
            accumulate(dweight, dw);
            accumulate(dbias, db);
        }

        @Override
        public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, int rows, int width, float eps) {
            double[] xs = get(x, rows * width);
            set(out, Reference.rmsNorm(xs, get(weight, width), rows, width, eps));
            set(rstd, Reference.rmsNormRstd(xs, rows, width, eps));
        }

        @Override
        public void rmsNormBackward(
                Tensor dx, Tensor dweight, Tensor dout, Tensor x, Tensor rstd, Tensor weight, int rows, int width) {
            double[] dw = new double[width];
            double[] d = rmsNormBackward(
                    dw, get(dout, rows * width), get(x, rows * width), get(rstd, rows), get(weight, width), width);
            accumulate(dx, d);
            accumulate(dweight, dw);
        }

        /** Returns the gradient of x and adds that of the weight to dweight. */
        private static double[] rmsNormBackward(
                double[] dweight, double[] dout, double[] x, double[] rstd, double[] weight, int width) {
            double[] d = new double[x.length];
            for (int r = 0; r < rstd.length; r++) {
                double meanGn = 0;
                for (int i = r * width; i < (r + 1) * width; i++) {
                    double n = x[i] * rstd[r];
                    dweight[i % width] += dout[i] * n;
                    meanGn += dout[i] * weight[i % width] * n / width;
                }
                for (int i = r * width; i < (r + 1) * width; i++) {
                    d[i] = rstd[r] * (dout[i] * weight[i % width] - x[i] * rstd[r] * meanGn);
                }
            }
            return d;
        }

        @Override
        public void headNorm(
                Tensor out,
                Tensor rstd,
                Tensor x,
                Tensor queryWeight,
                Tensor keyWeight,
                AttentionShape shape,
                float eps) {
            double[] qkv = get(x, shape.rows() * shape.qkvWidth());
            double[] queries = get(queryWeight, shape.headDim());
            double[] keys = get(keyWeight, shape.headDim());
            set(out, Reference.headNorm(qkv, queries, keys, shape, eps));
            set(rstd, Reference.headNormRstd(qkv, shape, eps));
        }

        @Override
        public void headNormBackward(
                Tensor dx,
                Tensor dqueryWeight,
                Tensor dkeyWeight,
                Tensor dout,
                Tensor x,
                Tensor rstd,
                Tensor queryWeight,
                Tensor keyWeight,
                AttentionShape shape) {
            int headDim = shape.headDim();
            double[] d = get(dout, shape.rows() * shape.qkvWidth());
            double[] xs = get(x, d.length);
            double[] rstds = get(rstd, shape.rows() * (shape.heads() + shape.kvHeads()));
            double[][] weights = {get(queryWeight, headDim), get(keyWeight, headDim)};
            double[][] dweights = {new double[headDim], new double[headDim]};
            for (int i = 0; i < rstds.length; i++) {
                int head = i % (shape.heads() + shape.kvHeads());
                int kind = head < shape.heads() ? 0 : 1;
                int from = i / (shape.heads() + shape.kvHeads()) * shape.qkvWidth() + head * headDim;
                double[] part = rmsNormBackward(
                        dweights[kind],
                        Arrays.copyOfRange(d, from, from + headDim),
                        Arrays.copyOfRange(xs, from, from + headDim),
                        new double[] {rstds[i]},
                        weights[kind],
                        headDim);
                System.arraycopy(part, 0, d, from, headDim);
            }
            set(dx, d);
            accumulate(dqueryWeight, dweights[0]);
            accumulate(dkeyWeight, dweights[1]);
        }

        @Override
        public void linear(Tensor out, Tensor x, Tensor weight, Tensor bias, int rows, int inWidth, int outWidth) {
            double[] biases = bias == null ? null : get(bias, outWidth);
            double[] weights = get(weight, outWidth * inWidth);
            set(out, Reference.linear(get(x, rows * inWidth), weights, biases, rows, inWidth, outWidth));
        }

        @Override
        public void linearBackwardInput(Tensor dx, Tensor dout, Tensor weight, int rows, int inWidth, int outWidth) {
            double[] g = get(dout, rows * outWidth);
            double[] w = get(weight, outWidth * inWidth);
            double[] d = new double[rows * inWidth];
            for (int r = 0; r < rows; r++) {
                for (int o = 0; o < outWidth; o++) {
                    for (int i = 0; i < inWidth; i++) {
                        d[r * inWidth + i] += g[r * outWidth + o] * w[o * inWidth + i];
                    }
                }
            }
            set(dx, d);
        }

        @Override
        public void linearBackwardWeight(
                Tensor dweight, Tensor dbias, Tensor dout, Tensor x, int rows, int inWidth, int outWidth) {
            double[] g = get(dout, rows * outWidth);
            double[] xs = get(x, rows * inWidth);
            double[] dw = new double[outWidth * inWidth];
            double[] db = new double[outWidth];
            for (int r = 0; r < rows; r++) {
                for (int o = 0; o < outWidth; o++) {
                    db[o] += g[r * outWidth + o];
                    for (int i = 0; i < inWidth; i++) {
                        dw[o * inWidth + i] += g[r * outWidth + o] * xs[r * inWidth + i];
                    }
                }
            }
            accumulate(dweight, dw);
            if (dbias != null) {
                accumulate(dbias, db);
            }
        }

        @Override
        public void rope(Tensor qkv, Tensor cos, Tensor sin, AttentionShape shape) {
            rotate(qkv, cos, sin, shape, 1);
        }

        @Override
        public void ropeBackward(Tensor dqkv, Tensor cos, Tensor sin, AttentionShape shape) {
            rotate(dqkv, cos, sin, shape, -1);
        }

        private void rotate(Tensor qkv, Tensor cos, Tensor sin, AttentionShape shape, int direction) {
            int angles = (inputs.position + shape.sequence()) * (shape.headDim() / 2);
            double[] sines = get(sin, angles);
            for (int i = 0; i < angles; i++) {
                sines[i] *= direction;
            }
            double[] values = get(qkv, shape.rows() * shape.qkvWidth());
            set(qkv, Reference.rope(values, get(cos, angles), sines, shape, inputs));
        }

        private double[] attentionMask(AttentionShape shape, Dropout dropout) {
            return Reference.mask(inputs, layer, dropout, shape.rows() * shape.heads() * shape.sequence());
        }

        @Override
        public void attention(Tensor out, Tensor lse, Tensor qkv, AttentionShape shape, Dropout dropout) {
            double[] values = get(qkv, shape.rows() * shape.qkvWidth());
            set(out, Reference.attention(values, shape, layer, inputs.starts, attentionMask(shape, dropout)));
            set(lse, Reference.attentionLse(values, shape, layer, inputs.starts));
        }

        /** dV = P'^T dO, dP = dO V^T * mask, dS = P * (dP - rowsum(dO * O)), dQ = dS K * scale, dK = dS^T Q * scale. */
        @Override
        public void attentionBackward(
                Tensor dqkv,
                Tensor dout,
                Tensor out,
                Tensor lse,
                Tensor qkv,
                Tensor delta,
                AttentionShape shape,
                Dropout dropout) {
            int headDim = shape.headDim();
            double scale = 1 / Math.sqrt(shape.layer(layer).squaredDivisor());
            double[] g = get(dout, shape.rows() * shape.outWidth());
            double[] gOut = Reference.times(g, get(out, g.length));
            double[] x = get(qkv, shape.rows() * shape.qkvWidth());
            double[] lses = get(lse, shape.rows() * shape.heads());
            double[] mask = attentionMask(shape, dropout);
            double[] deltas = new double[lses.length];
            double[] d = new double[x.length];
            for (int i = 0; i < lses.length; i++) {
                int t = i % shape.sequence();
                int head = i / shape.sequence() % shape.heads();
                int b = i / shape.sequence() / shape.heads();
                int row = b * shape.sequence() + t;
                int from = row * shape.outWidth() + head * headDim;
                int query = row * shape.qkvWidth() + head * headDim;
                for (int c = 0; c < headDim; c++) {
                    deltas[i] += gOut[from + c];
                }
                double[] scores = Reference.scores(x, shape, layer, inputs.starts, b, head, t);
                for (int s = Reference.firstKey(shape, layer, inputs.starts, b, t); s <= t; s++) {
                    int key = (b * shape.sequence() + s) * shape.qkvWidth() + shape.keyOffset() + kvHead(shape, head);
                    int value = key + shape.valueOffset() - shape.keyOffset();
                    double p = Math.exp(scores[s] - lses[i]);
                    double kept = mask[Reference.maskIndex(shape, b, head, t, s)];
                    double dp = 0;
                    for (int c = 0; c < headDim; c++) {
                        d[value + c] += p * kept * g[from + c];
                        dp += kept * g[from + c] * x[value + c];
                    }
                    double ds = p * (dp - deltas[i]) * scale;
                    for (int c = 0; c < headDim; c++) {
                        d[query + c] += ds * x[key + c];
                        d[key + c] += ds * x[query + c];
                    }
                }
            }
            set(delta, deltas);
            set(dqkv, d);
        }

        /** As attention over rows that hold the cached keys and values, of which only the last ones' queries count. */
        @Override
        public void cachedAttention(Tensor out, Tensor cache, Tensor qkv, AttentionShape shape, int capacity) {
            int width = shape.qkvWidth();
            int kvWidth = width - shape.keyOffset();
            int all = inputs.position + shape.sequence();
            if (shape.batch() != 1 || all > capacity) {
                throw new IllegalArgumentException(
                        "batch " + shape.batch() + ", " + all + " places in a cache of " + capacity);
            }
            double[] rows = get(qkv, shape.sequence() * width);
            for (int t = 0; t < shape.sequence(); t++) {
                int from = t * width + shape.keyOffset();
                set(cache.skip((long) (inputs.position + t) * kvWidth), Arrays.copyOfRange(rows, from, from + kvWidth));
            }
            double[] cached = get(cache, all * kvWidth);
            double[] full = new double[all * width];
            for (int t = 0; t < all; t++) {
                System.arraycopy(cached, t * kvWidth, full, t * width + shape.keyOffset(), kvWidth);
            }
            for (int t = 0; t < shape.sequence(); t++) {
                System.arraycopy(rows, t * width, full, (inputs.position + t) * width, shape.keyOffset());
            }
            AttentionShape whole =
                    new AttentionShape(1, all, shape.heads(), shape.kvHeads(), shape.headDim(), shape.layers());
            double[] outs = Reference.attention(full, whole, layer, new int[all], attentionMask(whole, Dropout.NONE));
            set(out, Arrays.copyOfRange(outs, inputs.position * shape.outWidth(), outs.length));
        }

        @Override
        public void activation(Tensor out, Tensor x, Activation f, int rows, int width) {
            set(out, Reference.activation(f, get(x, rows * width)));
        }

        @Override
        public void activationBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width) {
            set(dx, Reference.times(get(dout, rows * width), Reference.slope(f, get(x, rows * width))));
        }

        @Override
        public void gated(Tensor out, Tensor x, Activation f, int rows, int width) {
            set(out, Reference.gated(f, get(x, rows * 2 * width), rows, width));
        }

        @Override
        public void gatedBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width) {
            set(dx, Reference.gatedBackward(f, get(x, rows * 2 * width), get(dout, rows * width), rows, width));
        }

        @Override
        public void add(Tensor out, Tensor a, Tensor b, int rows, int width) {
            set(out, Reference.add(get(a, rows * width), get(b, rows * width)));
        }

        @Override
        public void dropout(Tensor out, Tensor x, int rows, int width, Dropout dropout) {
            set(out, Reference.times(get(x, rows * width), Reference.mask(inputs, layer, dropout, rows * width)));
        }

        @Override
        public void addNoise(Tensor x, int rows, int width, float magnitude) {
            set(
                    x,
                    Reference.combine(
                            get(x, rows * width), Reference.uniform(inputs, layer, rows * width), 1, magnitude));
        }

        @Override
        public void headLoss(Tensor nll, Tensor x, Tensor weight, int rows, int width, int vocabulary) {
            double[] weights = get(weight, vocabulary * width);
            set(nll, Reference.nll(get(x, rows * width), weights, inputs.targets, rows, width, vocabulary));
        }

        @Override
        public void headLossBackward(
                Tensor nll, Tensor dx, Tensor dweight, Tensor x, Tensor weight, int rows, int width, int vocabulary) {
            headLoss(nll, x, weight, rows, width, vocabulary);
            double[] xs = get(x, rows * width);
            double[] w = get(weight, vocabulary * width);
            double[] logits = Reference.linear(xs, w, null, rows, width, vocabulary);
            double[] d = new double[xs.length];
            double[] dw = new double[w.length];
            for (int r = 0; r < rows; r++) {
                int target = inputs.targets[r];
                if (target >= 0) {
                    double lse = Reference.logSumExp(Arrays.copyOfRange(logits, r * vocabulary, (r + 1) * vocabulary));
                    for (int token = 0; token < vocabulary; token++) {
                        double softmax = Math.exp(logits[r * vocabulary + token] - lse);
                        double dlogit = (softmax - (token == target ? 1 : 0)) * inputs.lossScale;
                        for (int c = 0; c < width; c++) {
                            d[r * width + c] += dlogit * w[token * width + c];
                            dw[token * width + c] += dlogit * xs[r * width + c];
                        }
                    }
                }
            }
            set(dx, d);
            accumulate(dweight, dw);
        }

        @Override
        public void headObjectiveBackward(
                Tensor losses,
                Tensor dx,
                Tensor dweight,
                Tensor x,
                Tensor weight,
                Objective.Teacher teacher,
                Objective o,
                int rows,
                int width,
                int vocabulary) {
            headLoss(losses, x, weight, rows, width, vocabulary);
            double[] xs = get(x, rows * width);
            double[] w = get(weight, vocabulary * width);
            double[] logits = Reference.linear(xs, w, null, rows, width, vocabulary);
            double[] taught = switch (teacher) {
                case null -> null;
                case Objective.Live live ->
                    Reference.linear(
                            get(live.x(), rows * live.width()),
                            get(live.weight(), vocabulary * live.width()),
                            null,
                            rows,
                            live.width(),
                            vocabulary);
                case Objective.Kept kept -> Reference.completed(logits, inputs, kept.top(), o, rows, vocabulary);
            };
            set(losses.skip(rows), Reference.objective(logits, taught, inputs.targets, o, rows, vocabulary));
            double[] d = new double[xs.length];
            double[] dw = new double[w.length];
            for (int r = 0; r < rows; r++) {
                int target = inputs.targets[r];
                if (target >= 0) {
                    double[] p = softmax(logits, r * vocabulary, vocabulary, 1);
                    double[] soft = softmax(logits, r * vocabulary, vocabulary, o.temperature());
                    double[] q = taught == null ? soft : softmax(taught, r * vocabulary, vocabulary, o.temperature());
                    double lse = Reference.logSumExp(Arrays.copyOfRange(logits, r * vocabulary, (r + 1) * vocabulary));
                    for (int token = 0; token < vocabulary; token++) {
                        double right = (token == target ? 1 - (double) o.labelSmoothing() : 0)
                                + (double) o.labelSmoothing() / vocabulary;
                        double dlogit = (1 - (double) o.distillation()) * (p[token] - right)
                                + o.distillation() * o.temperature() * (soft[token] - q[token])
                                + 2 * o.zLoss() * lse * p[token];
                        for (int c = 0; c < width; c++) {
                            d[r * width + c] += dlogit * inputs.lossScale * w[token * width + c];
                            dw[token * width + c] += dlogit * inputs.lossScale * xs[r * width + c];
                        }
                    }
                }
            }
            set(dx, d);
            accumulate(dweight, dw);
        }

        private static double[] softmax(double[] logits, int from, int count, double temperature) {
            double[] scaled = Arrays.stream(logits, from, from + count)
                    .map(v -> v / temperature)
                    .toArray();
            double lse = Reference.logSumExp(scaled);
            return Arrays.stream(scaled).map(v -> Math.exp(v - lse)).toArray();
        }

        @Override
        public void sumOfSquares(Tensor partials, Tensor x, long length) {
            double[] xs = get(x, Math.toIntExact(length));
            double[] sums = new double[PARTIALS];
            for (int i = 0; i < xs.length; i++) {
                sums[i % PARTIALS] += xs[i] * xs[i];
            }
            set(partials, sums);
        }

        @Override
        public void adamw(Tensor parameter, Tensor gradient, Tensor m, Tensor v, long length, AdamW settings) {
            int n = Math.toIntExact(length);
            double[] p = get(parameter, n);
            double[] ms = get(m, n);
            double[] vs = get(v, n);
            Reference.adamw(p, get(gradient, n), ms, vs, settings, inputs);
            set(parameter, p);
            set(m, ms);
            set(v, vs);
            zero(gradient, length);
        }

        @Override
        public void lion(Tensor parameter, Tensor gradient, Tensor m, long length, Lion settings) {
            int n = Math.toIntExact(length);
            double[] p = get(parameter, n);
            double[] ms = get(m, n);
            Reference.lion(p, get(gradient, n), ms, settings, inputs);
            set(parameter, p);
            set(m, ms);
            zero(gradient, length);
        }

        @Override
        public void momentum(Tensor gradient, Tensor m, long length, float momentum) {
            double[] g = get(gradient, Math.toIntExact(length));
            double[] ms = get(m, g.length);
            Reference.momentum(g, ms, momentum, inputs);
            set(gradient, g);
            set(m, ms);
        }

        @Override
        public void factoredMoments(Tensor r, Tensor c, Tensor gradient, int rows, int columns) {
            double[] rs = get(r, rows);
            double[] cs = get(c, columns);
            Reference.factoredMoments(rs, cs, get(gradient, rows * columns), rows, columns, inputs);
            set(r, rs);
            set(c, cs);
        }

        @Override
        public void factoredDirection(Tensor gradient, Tensor r, Tensor c, int rows, int columns) {
            double[] g = get(gradient, rows * columns);
            set(gradient, Reference.factoredDirection(g, get(r, rows), get(c, columns), rows, columns, inputs));
        }

        @Override
        public void scaleByRoots(
                Tensor x, Tensor numerators, Tensor denominators, int rows, int columns, boolean ofRows) {
            int channels = ofRows ? rows : columns;
            double[] n = get(numerators, channels);
            set(x, Reference.scaleByRoots(get(x, rows * columns), n, get(denominators, channels), columns, ofRows));
        }

        @Override
        public void unfactoredDirection(Tensor gradient, Tensor v, long length) {
            double[] g = get(gradient, Math.toIntExact(length));
            double[] vs = get(v, g.length);
            Reference.unfactoredDirection(g, vs, inputs);
            set(gradient, g);
            set(v, vs);
        }

        @Override
        public void divideByNorm(Tensor x, Tensor partials, long length, float least, float scale) {
            double[] xs = get(x, Math.toIntExact(length));
            set(x, Reference.divideByNorm(xs, get(partials, PARTIALS), least, scale));
        }

        @Override
        public void descend(Tensor parameter, Tensor direction, long length, float factor, float weightDecay) {
            int n = Math.toIntExact(length);
            set(parameter, Reference.descend(get(parameter, n), get(direction, n), factor, weightDecay, inputs));
        }

        @Override
        public void pull(
                Tensor gradient, Tensor importance, Tensor parameter, Tensor start, long length, float strength) {
            int n = Math.toIntExact(length);
            set(
                    gradient,
                    Reference.pull(get(gradient, n), get(importance, n), get(parameter, n), get(start, n), strength));
        }

        @Override
        public void combine(Tensor out, Tensor x, Tensor y, long length, float a, float b) {
            int n = Math.toIntExact(length);
            set(out, Reference.combine(get(x, n), get(y, n), a, b));
        }

        private double[] columns(Columns x, int rows, int width) {
            double[] all = get(x.matrix().skip(x.first()), (rows - 1) * x.rowWidth() + width);
            double[] some = new double[rows * width];
            for (int r = 0; r < rows; r++) {
                System.arraycopy(all, r * x.rowWidth(), some, r * width, width);
            }
            return some;
        }

        private void setColumns(Columns out, double[] values, int rows, int width) {
            for (int r = 0; r < rows; r++) {
                Tensor row = out.matrix().skip((long) r * out.rowWidth() + out.first());
                set(row, Arrays.copyOfRange(values, r * width, (r + 1) * width));
            }
        }

        @Override
        public void addColumns(Columns out, Columns x, int rows, int width, float factor) {
            double[] added =
                    Arrays.stream(columns(x, rows, width)).map(v -> v * factor).toArray();
            setColumns(out, Reference.add(columns(out, rows, width), added), rows, width);
        }

        @Override
        public void copyColumns(Columns out, Columns x, int rows, int width, float factor) {
            double[] values =
                    Arrays.stream(columns(x, rows, width)).map(v -> v * factor).toArray();
            setColumns(out, values, rows, width);
        }

        @Override
        public void rowScales(
                Tensor out,
                Tensor magnitudes,
                Tensor weight,
                Tensor b,
                Tensor wa,
                Tensor baa,
                int rows,
                int in,
                int rank,
                float scale) {
            set(
                    out,
                    Reference.rowScales(
                            get(magnitudes, rows),
                            get(weight, rows * in),
                            get(b, rows * rank),
                            get(wa, rows * rank),
                            get(baa, rows * rank),
                            rows,
                            in,
                            rank,
                            scale));
        }

        @Override
        public void scaleColumns(Columns out, Tensor scales, Tensor bias, int rows, int width) {
            double[] b = bias == null ? new double[width] : get(bias, width);
            double[] s = get(scales, width);
            double[] values = columns(out, rows, width);
            for (int i = 0; i < values.length; i++) {
                values[i] = s[i % width] * (values[i] - b[i % width]) + b[i % width];
            }
            setColumns(out, values, rows, width);
        }

        @Override
        public void addColumnProducts(
                Tensor sums, Columns a, Columns b, Tensor scales, Tensor magnitudes, int rows, int width) {
            double[] s = get(scales, width);
            double[] m = get(magnitudes, width);
            accumulate(
                    sums,
                    Reference.columnProducts(columns(a, rows, width), columns(b, rows, width), s, m, rows, width));
        }

        @Override
        public void zero(Tensor x, long length) {
            set(x, new double[Math.toIntExact(length)]);
        }
    }
}
