package dev.whirlwind.model;

/**
 * The instruction set of a transformer. Matrices are row-major floats; {@code rows} is batch * sequence. "=" means that
 * an output is overwritten, "+=" that it is added to; gradients of parameters are always added to, and what updates
 * the weights leaves them zero. Outputs may not overlap inputs except where said. Token ids, targets, and every scalar that changes
 * between runs come from {@link Inputs}; layer l of a per-layer tensor is taken when the program runs for layer l. The
 * gradient of a parameter may be null, where it is frozen.
 */
public interface Ops {
    /** How many partial sums {@link #sumOfSquares} leaves to be added up by the host. */
    int PARTIALS = 256;

    /** Most bytes of logits that engines hold at once for a loss; of wide rows a few are more. */
    long LOGITS_BYTES = 64L << 20;

    /** Rows of logits start at multiples of so many floats, and come so many at a time. */
    int LOGITS_ALIGNMENT = 16;

    /** Rows of logits that the CPU engine holds at once: parts of nearly the same size, as each reads all weights. */
    static int logitsRows(int rows, int vocabulary) {
        long fit = LOGITS_BYTES / Float.BYTES / logitsStep(vocabulary) / LOGITS_ALIGNMENT;
        int most = Math.toIntExact(Math.max(1, fit) * LOGITS_ALIGNMENT);
        int part = Math.ceilDiv(rows, Math.ceilDiv(rows, most));
        return Math.min(rows, Math.ceilDiv(part, LOGITS_ALIGNMENT) * LOGITS_ALIGNMENT);
    }

    /** Floats from one of these rows to the next: they are not all in the same set of the cache, and a last vector is whole. */
    static int logitsStep(int vocabulary) {
        return (Math.ceilDiv(vocabulary, LOGITS_ALIGNMENT) + 1) * LOGITS_ALIGNMENT;
    }

    /** Bytes of these rows. */
    static long logitsBytes(int rows, int vocabulary) {
        return (long) Float.BYTES * logitsRows(rows, vocabulary) * logitsStep(vocabulary);
    }

    /**
     * Token plus learned position: out[r] = wte[token[r]] + wpe[position + r % sequence - start[r]].
     *
     * @param out = [batch * sequence, width]
     * @param wte [vocabulary, width]
     * @param wpe [positions, width], or null for none
     */
    void embed(Tensor out, Tensor wte, Tensor wpe, int batch, int sequence, int width);

    /** dwte[token[r]] += dout[r], dwpe[r % sequence - start[r]] += dout[r]; tokens and positions may repeat. */
    void embedBackward(Tensor dwte, Tensor dwpe, Tensor dout, int batch, int sequence, int width);

    /**
     * Layer normalisation (arXiv 1607.06450): out = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(var + eps), with
     * the biased variance.
     *
     * @param out = [rows, width]
     * @param mean = [rows], rstd = [rows], kept for the backward pass
     */
    void layerNorm(
            Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor weight, Tensor bias, int rows, int width, float eps);

    /** With n = (x - mean) * rstd, g = dout * weight: dx += rstd * (g - mean(g) - n * mean(g * n)); dweight, dbias +=. */
    void layerNormBackward(
            Tensor dx,
            Tensor dweight,
            Tensor dbias,
            Tensor dout,
            Tensor x,
            Tensor mean,
            Tensor rstd,
            Tensor weight,
            int rows,
            int width);

    /** RMS normalisation (arXiv 1910.07467): out = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + eps); rstd = [rows]. */
    void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, int rows, int width, float eps);

    /** With n = x * rstd, g = dout * weight: dx += rstd * (g - n * mean(g * n)); dweight +=. */
    void rmsNormBackward(
            Tensor dx, Tensor dweight, Tensor dout, Tensor x, Tensor rstd, Tensor weight, int rows, int width);

    /**
     * RMS normalisation of every query and key head of qkv rows (Qwen3): weights [head_dim] each, shared by the heads;
     * values are copied. out may not be x.
     *
     * @param rstd = [rows, heads + kvHeads]
     */
    void headNorm(
            Tensor out, Tensor rstd, Tensor x, Tensor queryWeight, Tensor keyWeight, AttentionShape shape, float eps);

    /** dx = (queries and keys through the norm, values copied); dqueryWeight, dkeyWeight +=. dx may be dout. */
    void headNormBackward(
            Tensor dx,
            Tensor dqueryWeight,
            Tensor dkeyWeight,
            Tensor dout,
            Tensor x,
            Tensor rstd,
            Tensor queryWeight,
            Tensor keyWeight,
            AttentionShape shape);

    /** out = x * weight^T + bias: x [rows, in], weight [out, in], bias [out] or null, out = [rows, out]. */
    void linear(Tensor out, Tensor x, Tensor weight, Tensor bias, int rows, int inWidth, int outWidth);

    /** dx = dout * weight. */
    void linearBackwardInput(Tensor dx, Tensor dout, Tensor weight, int rows, int inWidth, int outWidth);

    /** dweight += dout^T * x; dbias += column sums of dout. */
    void linearBackwardWeight(Tensor dweight, Tensor dbias, Tensor dout, Tensor x, int rows, int inWidth, int outWidth);

    /**
     * Rotary positions (arXiv 2104.09864), the half-rotation form: for each query and key head, with a = first half and
     * b = second half, (a, b) becomes (a cos - b sin, b cos + a sin), in place; row r is at position + r % sequence -
     * start[r].
     *
     * @param cos [positions, head_dim / 2], sin likewise; a factor of both scales queries and keys as well
     */
    void rope(Tensor qkv, Tensor cos, Tensor sin, AttentionShape shape);

    /** The gradient through it, in place: (a, b) becomes (a cos + b sin, b cos - a sin). */
    void ropeBackward(Tensor dqkv, Tensor cos, Tensor sin, AttentionShape shape);

    /**
     * Causal attention, softmax(q k^T * scale) v per head, never holding a sequence x sequence matrix (arXiv 2205.14135);
     * scale and window are those of the shape's current layer, and a query sees no key before its document's start.
     * Element ((b * heads + h) * sequence + t) * sequence + s of the dropout mask belongs to query t and key s.
     *
     * @param out = [rows, heads * head_dim]
     * @param lse = [batch, heads, sequence]: log of the sum of exp(scores), for the backward pass
     */
    void attention(Tensor out, Tensor lse, Tensor qkv, AttentionShape shape, Dropout dropout);

    /** dqkv =, from P recomputed of lse; delta is scratch, [batch, heads, sequence] (rows of dout times out). */
    void attentionBackward(
            Tensor dqkv,
            Tensor dout,
            Tensor out,
            Tensor lse,
            Tensor qkv,
            Tensor delta,
            AttentionShape shape,
            Dropout dropout);

    /**
     * Attention while generating: stores keys and values of the rows at cache places position, position + 1, ..., then
     * attends over all places up to each row's own. The batch is 1; rows beyond the capacity are an error of the caller.
     *
     * @param cache [capacity, 2 * kvHeads * head_dim]: key heads, then value heads
     */
    void cachedAttention(Tensor out, Tensor cache, Tensor qkv, AttentionShape shape, int capacity);

    /** out = f(x). */
    void activation(Tensor out, Tensor x, Activation f, int rows, int width);

    /** dx = dout * f'(x). dx may be dout. */
    void activationBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width);

    /** Gated units (arXiv 2002.05202): out = f(gate) * up; a row of x [rows, 2 * width] holds gate, then up. */
    void gated(Tensor out, Tensor x, Activation f, int rows, int width);

    /** dx = [rows, 2 * width]: gradients of gate, then of up. */
    void gatedBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width);

    /** out = a + b, [rows, width]; out may be a or b. */
    void add(Tensor out, Tensor a, Tensor b, int rows, int width);

    /** out[r, c] += factor * x[r, c] for {@code width} columns, which may be some of wider rows: {@code Columns} says which. */
    void addColumns(Columns out, Columns x, int rows, int width, float factor);

    /** out[r, c] = factor * x[r, c], likewise. */
    void copyColumns(Columns out, Columns x, int rows, int width, float factor);

    /**
     * Some columns of a matrix.
     *
     * @param rowWidth floats from one row to the next
     * @param first column
     */
    record Columns(Tensor matrix, int rowWidth, int first) {
        /** All. */
        public static Columns of(Tensor matrix, int width) {
            return new Columns(matrix, width, 0);
        }
    }

    /**
     * DoRA's scales of outputs: with w = weight + scale * b a, out[i] = magnitudes[i] / the L2 norm of row i of w.
     *
     * @param weight [rows, in], b [rows, rank]
     * @param wa = weight a^T, [rows, rank]
     * @param baa = b a a^T, [rows, rank]
     */
    void rowScales(
            Tensor out,
            Tensor magnitudes,
            Tensor weight,
            Tensor b,
            Tensor wa,
            Tensor baa,
            int rows,
            int in,
            int rank,
            float scale);

    /** out[r, c] = scales[c] * (out[r, c] - bias[c]) + bias[c] for {@code width} columns; bias null for none. */
    void scaleColumns(Columns out, Tensor scales, Tensor bias, int rows, int width);

    /** sums[c] += scales[c] / magnitudes[c] * the sum over rows of a[r, c] * b[r, c], for {@code width} columns of both. */
    void addColumnProducts(Tensor sums, Columns a, Columns b, Tensor scales, Tensor magnitudes, int rows, int width);

    /** out = x * mask / (1 - p), [rows, width]; element r * width + c. Its own backward form. out may be x. */
    void dropout(Tensor out, Tensor x, int rows, int width, Dropout dropout);

    /**
     * x += magnitude * u, with u in [-1, 1) of element r * width + c's random bits at {@link Philox#NOISE}: their upper 24 as a
     * signed number / 2^23. To gradients it is constant.
     */
    void addNoise(Tensor x, int rows, int width, float magnitude);

    /**
     * The negative log-likelihood of the targets, logits = x * weight^T, never holding all logits.
     *
     * @param nll = [rows]: -log softmax(logits)[target], 0 where the target is negative
     * @param x [rows, width]
     * @param weight [vocabulary, width]
     */
    void headLoss(Tensor nll, Tensor x, Tensor weight, int rows, int width, int vocabulary);

    /** headLoss and its gradient in one: with dlogits = (softmax - onehot) * lossScale, dx =, dweight +=. */
    void headLossBackward(
            Tensor nll, Tensor dx, Tensor dweight, Tensor x, Tensor weight, int rows, int width, int vocabulary);

    /**
     * headLossBackward for another objective than the likelihood of the targets; dlogits = its gradient * lossScale.
     *
     * @param losses = [2, rows]: nll as above, then the objective, 0 where the target is negative
     * @param teacher null without distillation; of the same vocabulary
     */
    void headObjectiveBackward(
            Tensor losses,
            Tensor dx,
            Tensor dweight,
            Tensor x,
            Tensor weight,
            Objective.Teacher teacher,
            Objective objective,
            int rows,
            int width,
            int vocabulary);

    /** partials = [PARTIALS] sums whose total is the sum of squares. */
    void sumOfSquares(Tensor partials, Tensor x, long length);

    /**
     * AdamW (arXiv 1711.05101), with g = gradient * gradientScale: p *= 1 - lr * weightDecay; m = beta1 m + (1 - beta1) g;
     * v = beta2 v + (1 - beta2) g^2; p -= lr / biasCorrection1 * m / (sqrt(v / biasCorrection2) + eps). The gradient is
     * left zero, ready for the next step.
     */
    void adamw(Tensor parameter, Tensor gradient, Tensor m, Tensor v, long length, AdamW settings);

    /**
     * Lion (arXiv 2302.06675), with g = gradient * gradientScale: p *= 1 - lr * weightDecay; p -= lr * sign(beta1 m + (1 -
     * beta1) g), where the sign of 0 is 0; m = beta2 m + (1 - beta2) g. The gradient is left zero.
     */
    void lion(Tensor parameter, Tensor gradient, Tensor m, long length, Lion settings);

    /**
     * Nesterov's momentum as Muon has it, with g = gradient * gradientScale: m = momentum m + (1 - momentum) g; gradient =
     * momentum m + (1 - momentum) g.
     */
    void momentum(Tensor gradient, Tensor m, long length, float momentum);

    /**
     * One step of Newton and Schulz towards the nearest matrix with singular values of 1 (Jordan et al., Muon, 2024): with
     * A the smaller of x x^T and x^T x, and B = -4.7750 A + 2.0315 A^2, x = 3.4445 x + B x (or + x B). Products are of
     * floats, whatever an engine does with a model's.
     *
     * @param x [rows, columns], of a norm of at most about 1
     * @param scratch {@link #newtonSchulzScratch} floats
     */
    default void newtonSchulz(Tensor x, Tensor scratch, int rows, int columns) {
        int n = Math.min(rows, columns);
        long square = (long) n * n;
        Tensor a = scratch;
        Tensor b = scratch.skip(square);
        Tensor bx = scratch.skip(2 * square);
        if (rows <= columns) {
            linear(a, x, x, null, rows, columns, rows);
        } else {
            zero(a, square);
            linearBackwardWeight(a, null, x, x, rows, columns, columns);
        }
        linear(b, a, a, null, n, n, n);
        combine(b, a, b, square, -4.7750f, 2.0315f);
        if (rows <= columns) {
            linearBackwardInput(bx, b, x, rows, columns, rows);
        } else {
            linear(bx, x, b, null, rows, columns, columns);
        }
        combine(x, x, bx, (long) rows * columns, 3.4445f, 1);
    }

    /** Floats that {@link #newtonSchulz} works with. */
    static long newtonSchulzScratch(int rows, int columns) {
        long n = Math.min(rows, columns);
        return 2 * n * n + (long) rows * columns;
    }

    /**
     * Adafactor's moments of a matrix (arXiv 1804.04235, algorithm 4), with g = gradient * gradientScale, b =
     * secondMomentDecay: r = b r + (1 - b) (the rows' means of g^2 + 1e-30), c likewise of the columns.
     *
     * @param r [rows], c [columns]
     */
    void factoredMoments(Tensor r, Tensor c, Tensor gradient, int rows, int columns);

    /** gradient = gradient * gradientScale / sqrt(r c / mean(r)), with the row's r and the column's c. */
    void factoredDirection(Tensor gradient, Tensor r, Tensor c, int rows, int columns);

    /** The same of a vector: v = b v + (1 - b) (g^2 + 1e-30); gradient = g / sqrt(v). */
    void unfactoredDirection(Tensor gradient, Tensor v, long length);

    /**
     * What APOLLO reads of a gradient (arXiv 2412.05270): its projection onto a few random directions, its rows' where it has no
     * more columns than rows, else its columns'. Products are of floats, whatever an engine does with a model's.
     *
     * @param out = [rows, rank] or [rank, columns], the gradient times the directions
     * @param directions [rank, columns] or [rows, rank]
     */
    default void project(Tensor out, Tensor gradient, Tensor directions, int rows, int columns, int rank) {
        if (columns <= rows) {
            linear(out, gradient, directions, null, rows, columns, rank);
        } else {
            zero(out, (long) rank * columns);
            linearBackwardWeight(out, null, directions, gradient, rows, columns, rank);
        }
    }

    /**
     * x[i, j] = x[i, j] * sqrt(numerators[k] / denominators[k]), with k = i for rows, and k = j otherwise.
     *
     * @param denominators above 0
     */
    void scaleByRoots(Tensor x, Tensor numerators, Tensor denominators, int rows, int columns, boolean ofRows);

    /**
     * x = x / max(least, scale * norm), the norm being the root of a sum of squares.
     *
     * @param partials [PARTIALS] as {@link #sumOfSquares} left them
     */
    void divideByNorm(Tensor x, Tensor partials, long length, float least, float scale);

    /** parameter -= lr * (factor * direction + weightDecay * parameter). */
    void descend(Tensor parameter, Tensor direction, long length, float factor, float weightDecay);

    /** gradient += strength * importance * (parameter - start): that of strength / 2 * sum(importance (parameter - start)^2). */
    void pull(Tensor gradient, Tensor importance, Tensor parameter, Tensor start, long length, float strength);

    /** out = a * x + b * y; out may be x or y. */
    void combine(Tensor out, Tensor x, Tensor y, long length, float a, float b);

    /** x = 0. */
    void zero(Tensor x, long length);
}
