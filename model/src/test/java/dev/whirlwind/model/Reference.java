package dev.whirlwind.model;

import java.util.Arrays;

/**
 * The forward operations of {@link Ops} in double precision, as the formulas say and nothing else: what every engine is
 * measured against. Arrays are laid out as the tensors of {@link Ops}.
 */
public final class Reference {
    private Reference() {}

    public static double[] embed(Inputs inputs, double[] wte, double[] wpe, int batch, int sequence, int width) {
        double[] out = new double[batch * sequence * width];
        for (int r = 0; r < batch * sequence; r++) {
            for (int c = 0; c < width; c++) {
                double place = wpe == null ? 0 : wpe[(inputs.position + r % sequence - inputs.starts[r]) * width + c];
                out[r * width + c] = wte[inputs.tokens[r] * width + c] + place;
            }
        }
        return out;
    }

    /** The mean of each row. */
    public static double[] mean(double[] x, int rows, int width) {
        double[] mean = new double[rows];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < width; c++) {
                mean[r] += x[r * width + c] / width;
            }
        }
        return mean;
    }

    /** 1 / sqrt(variance + eps) of each row. */
    public static double[] layerNormRstd(double[] x, int rows, int width, double eps) {
        double[] mean = mean(x, rows, width);
        double[] centred = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            centred[i] = x[i] - mean[i / width];
        }
        return rmsNormRstd(centred, rows, width, eps);
    }

    public static double[] layerNorm(double[] x, double[] weight, double[] bias, int rows, int width, double eps) {
        double[] mean = mean(x, rows, width);
        double[] rstd = layerNormRstd(x, rows, width, eps);
        double[] out = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = (x[i] - mean[i / width]) * rstd[i / width] * weight[i % width] + bias[i % width];
        }
        return out;
    }

    /** 1 / sqrt(mean(x^2) + eps) of each row. */
    public static double[] rmsNormRstd(double[] x, int rows, int width, double eps) {
        double[] rstd = new double[rows];
        for (int r = 0; r < rows; r++) {
            double sum = 0;
            for (int c = 0; c < width; c++) {
                sum += x[r * width + c] * x[r * width + c];
            }
            rstd[r] = 1 / Math.sqrt(sum / width + eps);
        }
        return rstd;
    }

    public static double[] rmsNorm(double[] x, double[] weight, int rows, int width, double eps) {
        double[] rstd = rmsNormRstd(x, rows, width, eps);
        double[] out = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = x[i] * rstd[i / width] * weight[i % width];
        }
        return out;
    }

    /** [rows, heads + kvHeads]. */
    public static double[] headNormRstd(double[] qkv, AttentionShape shape, double eps) {
        int heads = shape.heads() + shape.kvHeads();
        double[] rstd = new double[shape.rows() * heads];
        for (int r = 0; r < shape.rows(); r++) {
            int from = r * shape.qkvWidth();
            double[] row = Arrays.copyOfRange(qkv, from, from + shape.valueOffset());
            System.arraycopy(rmsNormRstd(row, heads, shape.headDim(), eps), 0, rstd, r * heads, heads);
        }
        return rstd;
    }

    public static double[] headNorm(
            double[] qkv, double[] queryWeight, double[] keyWeight, AttentionShape shape, double eps) {
        double[] rstd = headNormRstd(qkv, shape, eps);
        double[] out = qkv.clone();
        for (int r = 0; r < shape.rows(); r++) {
            for (int c = 0; c < shape.valueOffset(); c++) {
                int head = c / shape.headDim();
                double[] weight = head < shape.heads() ? queryWeight : keyWeight;
                out[r * shape.qkvWidth() + c] *=
                        rstd[r * (shape.heads() + shape.kvHeads()) + head] * weight[c % shape.headDim()];
            }
        }
        return out;
    }

    /** bias may be null. */
    public static double[] linear(double[] x, double[] weight, double[] bias, int rows, int inWidth, int outWidth) {
        double[] out = new double[rows * outWidth];
        for (int r = 0; r < rows; r++) {
            for (int o = 0; o < outWidth; o++) {
                double sum = bias == null ? 0 : bias[o];
                for (int i = 0; i < inWidth; i++) {
                    sum += x[r * inWidth + i] * weight[o * inWidth + i];
                }
                out[r * outWidth + o] = sum;
            }
        }
        return out;
    }

    public static double[] rope(double[] qkv, double[] cos, double[] sin, AttentionShape shape, Inputs inputs) {
        int half = shape.headDim() / 2;
        double[] out = qkv.clone();
        for (int r = 0; r < shape.rows(); r++) {
            for (int head = 0; head < shape.heads() + shape.kvHeads(); head++) {
                for (int c = 0; c < half; c++) {
                    int a = r * shape.qkvWidth() + head * shape.headDim() + c;
                    int b = a + half;
                    int angle = (inputs.position + r % shape.sequence() - inputs.starts[r]) * half + c;
                    out[a] = qkv[a] * cos[angle] - qkv[b] * sin[angle];
                    out[b] = qkv[b] * cos[angle] + qkv[a] * sin[angle];
                }
            }
        }
        return out;
    }

    /** Scores of the query at t with keys 0 to t; minus infinity for those that it does not see. */
    static double[] scores(double[] qkv, AttentionShape shape, int layer, int[] starts, int b, int head, int t) {
        double[] scores = new double[t + 1];
        Arrays.fill(scores, Double.NEGATIVE_INFINITY);
        int query = (b * shape.sequence() + t) * shape.qkvWidth() + head * shape.headDim();
        for (int s = firstKey(shape, layer, starts, b, t); s <= t; s++) {
            int key = (b * shape.sequence() + s) * shape.qkvWidth() + shape.keyOffset() + kvHead(shape, head);
            double dot = 0;
            for (int c = 0; c < shape.headDim(); c++) {
                dot += qkv[query + c] * qkv[key + c];
            }
            scores[s] = dot / Math.sqrt(shape.layer(layer).squaredDivisor());
        }
        return scores;
    }

    static int firstKey(AttentionShape shape, int layer, int[] starts, int b, int t) {
        return Math.max(shape.layer(layer).firstKey(t), starts[b * shape.sequence() + t]);
    }

    /** Where the key/value head that a query head reads starts among the keys, or among the values. */
    static int kvHead(AttentionShape shape, int head) {
        return head / (shape.heads() / shape.kvHeads()) * shape.headDim();
    }

    static double logSumExp(double[] x) {
        double max = Arrays.stream(x).max().orElseThrow();
        return max + Math.log(Arrays.stream(x).map(v -> Math.exp(v - max)).sum());
    }

    /** [batch, heads, sequence]. */
    public static double[] attentionLse(double[] qkv, AttentionShape shape, int layer, int[] starts) {
        double[] lse = new double[shape.rows() * shape.heads()];
        for (int i = 0; i < lse.length; i++) {
            int head = i / shape.sequence() % shape.heads();
            int b = i / shape.sequence() / shape.heads();
            lse[i] = logSumExp(scores(qkv, shape, layer, starts, b, head, i % shape.sequence()));
        }
        return lse;
    }

    /** mask [batch, heads, sequence, sequence] multiplies the probabilities. */
    public static double[] attention(double[] qkv, AttentionShape shape, int layer, int[] starts, double[] mask) {
        double[] out = new double[shape.rows() * shape.outWidth()];
        for (int b = 0; b < shape.batch(); b++) {
            for (int head = 0; head < shape.heads(); head++) {
                for (int t = 0; t < shape.sequence(); t++) {
                    double[] scores = scores(qkv, shape, layer, starts, b, head, t);
                    double lse = logSumExp(scores);
                    int to = (b * shape.sequence() + t) * shape.outWidth() + head * shape.headDim();
                    for (int s = 0; s <= t; s++) {
                        int value = (b * shape.sequence() + s) * shape.qkvWidth()
                                + shape.valueOffset()
                                + kvHead(shape, head);
                        double weight = Math.exp(scores[s] - lse) * mask[maskIndex(shape, b, head, t, s)];
                        for (int c = 0; c < shape.headDim(); c++) {
                            out[to + c] += weight * qkv[value + c];
                        }
                    }
                }
            }
        }
        return out;
    }

    static int maskIndex(AttentionShape shape, int b, int head, int t, int s) {
        return ((b * shape.heads() + head) * shape.sequence() + t) * shape.sequence() + s;
    }

    public static double[] activation(Activation f, double[] x) {
        return Arrays.stream(x).map(v -> activation(f, v)).toArray();
    }

    private static double activation(Activation f, double x) {
        return switch (f) {
            case SILU -> x / (1 + Math.exp(-x));
            case QUICK_GELU -> x / (1 + Math.exp(-1.702 * x));
            case GELU_TANH -> 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case GELU -> x * normal(x);
            case RELU -> Math.max(x, 0);
        };
    }

    /** The derivatives. */
    public static double[] slope(Activation f, double[] x) {
        return Arrays.stream(x).map(v -> slope(f, v)).toArray();
    }

    private static double slope(Activation f, double x) {
        return switch (f) {
            case SILU -> logisticSlope(x, 1);
            case QUICK_GELU -> logisticSlope(x, 1.702);
            case GELU_TANH -> {
                double root = Math.sqrt(2 / Math.PI);
                double tanh = Math.tanh(root * (x + 0.044715 * x * x * x));
                double inner = root * (1 + 3 * 0.044715 * x * x);
                double bend = tanh * tanh == 1 ? 0 : (1 - tanh * tanh) * inner;
                yield 0.5 * (1 + tanh) + 0.5 * x * bend;
            }
            case GELU -> normal(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
            case RELU -> x > 0 ? 1 : 0;
        };
    }

    private static double logisticSlope(double x, double steepness) {
        double share = 1 / (1 + Math.exp(-steepness * x));
        return share + x * steepness * share * (1 - share);
    }

    /**
     * The normal distribution function: by its series around 0 (Abramowitz and Stegun 26.2.11), by Laplace's continued
     * fraction (26.2.14) further out.
     */
    public static double normal(double x) {
        double density = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
        double size = Math.abs(x);
        if (size > 4) {
            double fraction = 0;
            for (int n = 200; n > 0; n--) {
                fraction = n / (size + fraction);
            }
            double tail = density / (size + fraction);
            return x < 0 ? tail : 1 - tail;
        }
        double term = x;
        double sum = x;
        for (int n = 3; Math.abs(term) > 1e-20; n += 2) {
            term *= x * x / n;
            sum += term;
        }
        return 0.5 + density * sum;
    }

    public static double[] gated(Activation f, double[] x, int rows, int width) {
        double[] out = new double[rows * width];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < width; c++) {
                double gate = x[r * 2 * width + c];
                double up = x[r * 2 * width + width + c];
                out[r * width + c] = activation(f, gate) * up;
            }
        }
        return out;
    }

    /** dx of gated, for dout. */
    public static double[] gatedBackward(Activation f, double[] x, double[] dout, int rows, int width) {
        double[] d = new double[x.length];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < width; c++) {
                int gate = r * 2 * width + c;
                int up = gate + width;
                d[gate] = dout[r * width + c] * x[up] * slope(f, x[gate]);
                d[up] = dout[r * width + c] * activation(f, x[gate]);
            }
        }
        return d;
    }

    /** What each element of a dropout site is multiplied by: 0 or 1 / (1 - p). */
    public static double[] mask(Inputs inputs, int layer, Dropout dropout, int length) {
        double[] mask = new double[length];
        int[] words = new int[4];
        for (int e = 0; e < length; e++) {
            Philox.maskBlock(inputs, layer, dropout.site(), e / 4, words);
            boolean dropped = Integer.compareUnsigned(words[e % 4], dropout.threshold()) < 0;
            mask[e] = dropped ? 0 : 1 / (1 - (double) dropout.p());
        }
        return mask;
    }

    /** What noise is made of: from -1 to below 1. */
    public static double[] uniform(Inputs inputs, int layer, int length) {
        double[] values = new double[length];
        int[] words = new int[4];
        for (int e = 0; e < length; e++) {
            Philox.maskBlock(inputs, layer, Philox.NOISE, e / 4, words);
            values[e] = Math.floorDiv(words[e % 4], 1 << 8) / 0x1p23;
        }
        return values;
    }

    /** Element by element. */
    public static double[] times(double[] a, double[] b) {
        double[] out = new double[a.length];
        for (int i = 0; i < a.length; i++) {
            out[i] = a[i] * b[i];
        }
        return out;
    }

    public static double[] add(double[] a, double[] b) {
        double[] out = new double[a.length];
        for (int i = 0; i < a.length; i++) {
            out[i] = a[i] + b[i];
        }
        return out;
    }

    /** Negative log-likelihood of each target; 0 where it is negative. */
    public static double[] nll(double[] x, double[] weight, int[] targets, int rows, int width, int vocabulary) {
        double[] logits = linear(x, weight, null, rows, width, vocabulary);
        double[] nll = new double[rows];
        for (int r = 0; r < rows; r++) {
            if (targets[r] >= 0) {
                double[] row = Arrays.copyOfRange(logits, r * vocabulary, (r + 1) * vocabulary);
                nll[r] = logSumExp(row) - row[targets[r]];
            }
        }
        return nll;
    }

    /** {@link Objective} of each place; 0 where the target is negative. */
    public static double[] objective(
            double[] logits, double[] teacher, int[] targets, Objective o, int rows, int vocabulary) {
        double[] values = new double[rows];
        for (int r = 0; r < rows; r++) {
            if (targets[r] >= 0) {
                double[] row = Arrays.copyOfRange(logits, r * vocabulary, (r + 1) * vocabulary);
                double lse = logSumExp(row);
                double likelihood = (1 - (double) o.labelSmoothing()) * (lse - row[targets[r]])
                        + o.labelSmoothing()
                                * (lse - Arrays.stream(row).average().orElseThrow());
                values[r] = (1 - (double) o.distillation()) * likelihood + o.zLoss() * lse * lse;
                if (teacher != null) {
                    double[] t = Arrays.copyOfRange(teacher, r * vocabulary, (r + 1) * vocabulary);
                    values[r] += o.distillation() * divergence(t, row, o.temperature());
                }
            }
        }
        return values;
    }

    /** Logits of a teacher that gives the rest's probability to its tokens in proportion to the model's own. */
    static double[] completed(double[] logits, Inputs inputs, int top, Objective o, int rows, int vocabulary) {
        double[] teacher = new double[logits.length];
        for (int r = 0; r < rows; r++) {
            boolean[] kept = kept(inputs, top, r, vocabulary);
            double sum = 0;
            for (int i = 0; i < vocabulary; i++) {
                sum += kept[i] ? 0 : Math.exp(logits[r * vocabulary + i] / o.temperature());
            }
            double rest = inputs.taughtProbabilities[r * (top + 1) + top];
            for (int i = 0; i < vocabulary; i++) {
                teacher[r * vocabulary + i] =
                        logits[r * vocabulary + i] + o.temperature() * (Math.log(rest) - Math.log(sum));
            }
            for (int j = 0; j < top; j++) {
                double q = inputs.taughtProbabilities[r * (top + 1) + j];
                teacher[r * vocabulary + inputs.taughtTokens[r * top + j]] = o.temperature() * Math.log(q);
            }
        }
        return teacher;
    }

    private static boolean[] kept(Inputs inputs, int top, int row, int vocabulary) {
        boolean[] kept = new boolean[vocabulary];
        for (int j = 0; j < top; j++) {
            kept[inputs.taughtTokens[row * top + j]] = true;
        }
        return kept;
    }

    /** T^2 KL of top + 1 bins, times d, of each place; 0 where the target is negative. */
    static double[] binned(double[] logits, Inputs inputs, int top, Objective o, int rows, int vocabulary) {
        double[] values = new double[rows];
        for (int r = 0; r < rows; r++) {
            if (inputs.targets[r] >= 0) {
                double[] soft = new double[vocabulary];
                for (int i = 0; i < vocabulary; i++) {
                    soft[i] = logits[r * vocabulary + i] / o.temperature();
                }
                double lse = logSumExp(soft);
                boolean[] kept = kept(inputs, top, r, vocabulary);
                double rest = 0;
                for (int i = 0; i < vocabulary; i++) {
                    rest += kept[i] ? 0 : Math.exp(soft[i] - lse);
                }
                double q = inputs.taughtProbabilities[r * (top + 1) + top];
                double sum = q * Math.log(q / rest);
                for (int j = 0; j < top; j++) {
                    q = inputs.taughtProbabilities[r * (top + 1) + j];
                    sum += q * (Math.log(q) - soft[inputs.taughtTokens[r * top + j]] + lse);
                }
                values[r] = o.distillation() * (double) o.temperature() * o.temperature() * sum;
            }
        }
        return values;
    }

    /** T^2 KL(softmax(a / T) || softmax(b / T)). */
    private static double divergence(double[] a, double[] b, double temperature) {
        double[] as = Arrays.stream(a).map(v -> v / temperature).toArray();
        double[] bs = Arrays.stream(b).map(v -> v / temperature).toArray();
        double lseA = logSumExp(as);
        double lseB = logSumExp(bs);
        double sum = 0;
        for (int i = 0; i < as.length; i++) {
            sum += Math.exp(as[i] - lseA) * (as[i] - lseA - bs[i] + lseB);
        }
        return temperature * temperature * sum;
    }

    /** One step, in place; the gradient is left as it is. */
    public static void adamw(
            double[] parameter, double[] gradient, double[] m, double[] v, AdamW settings, Inputs inputs) {
        double rate = inputs.learningRate;
        for (int i = 0; i < parameter.length; i++) {
            double g = gradient[i] * inputs.gradientScale;
            m[i] = settings.beta1() * m[i] + (1 - (double) settings.beta1()) * g;
            v[i] = settings.beta2() * v[i] + (1 - (double) settings.beta2()) * g * g;
            parameter[i] *= 1 - rate * settings.weightDecay();
            parameter[i] -=
                    rate / inputs.biasCorrection1 * m[i] / (Math.sqrt(v[i] / inputs.biasCorrection2) + settings.eps());
        }
    }

    /** One step, in place; the gradient is left as it is. */
    public static void lion(double[] parameter, double[] gradient, double[] m, Lion settings, Inputs inputs) {
        for (int i = 0; i < parameter.length; i++) {
            double g = gradient[i] * inputs.gradientScale;
            double sign = Math.signum(settings.beta1() * m[i] + (1 - (double) settings.beta1()) * g);
            parameter[i] -= (double) inputs.learningRate * (sign + settings.weightDecay() * parameter[i]);
            m[i] = settings.beta2() * m[i] + (1 - (double) settings.beta2()) * g;
        }
    }

    /** In place; the gradient becomes the direction. */
    public static void momentum(double[] gradient, double[] m, double momentum, Inputs inputs) {
        for (int i = 0; i < gradient.length; i++) {
            double g = gradient[i] * inputs.gradientScale;
            m[i] = momentum * m[i] + (1 - momentum) * g;
            gradient[i] = momentum * m[i] + (1 - momentum) * g;
        }
    }

    /** x with each singular value s as 3.4445 s - 4.7750 s^3 + 2.0315 s^5: x (3.4445 - 4.7750 x^T x + ...). */
    public static double[] newtonSchulz(double[] x, int rows, int columns) {
        double[] cube = cube(x, x, rows, columns);
        double[] fifth = cube(cube, x, rows, columns);
        return combine(combine(x, cube, 3.4445, -4.7750), fifth, 1, 2.0315);
    }

    /** y x^T x. */
    private static double[] cube(double[] y, double[] x, int rows, int columns) {
        double[] yxT = linear(y, x, null, rows, columns, rows);
        double[] out = new double[x.length];
        for (int r = 0; r < rows; r++) {
            for (int k = 0; k < rows; k++) {
                for (int c = 0; c < columns; c++) {
                    out[r * columns + c] += yxT[r * rows + k] * x[k * columns + c];
                }
            }
        }
        return out;
    }

    /** r and c, in place. */
    public static void factoredMoments(
            double[] r, double[] c, double[] gradient, int rows, int columns, Inputs inputs) {
        double b = inputs.secondMomentDecay;
        double[] rowSums = new double[rows];
        double[] columnSums = new double[columns];
        for (int i = 0; i < gradient.length; i++) {
            double square = Math.pow(gradient[i] * inputs.gradientScale, 2) + 1e-30;
            rowSums[i / columns] += square;
            columnSums[i % columns] += square;
        }
        for (int i = 0; i < rows; i++) {
            r[i] = b * r[i] + (1 - b) * rowSums[i] / columns;
        }
        for (int i = 0; i < columns; i++) {
            c[i] = b * c[i] + (1 - b) * columnSums[i] / rows;
        }
    }

    public static double[] factoredDirection(
            double[] gradient, double[] r, double[] c, int rows, int columns, Inputs inputs) {
        double mean = Arrays.stream(r).sum() / rows;
        double[] out = new double[gradient.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = gradient[i] * inputs.gradientScale / Math.sqrt(r[i / columns] / mean * c[i % columns]);
        }
        return out;
    }

    /** x times roots of ratios, of its rows or its columns. */
    public static double[] scaleByRoots(
            double[] x, double[] numerators, double[] denominators, int columns, boolean ofRows) {
        double[] out = new double[x.length];
        for (int i = 0; i < out.length; i++) {
            int channel = ofRows ? i / columns : i % columns;
            out[i] = x[i] * Math.sqrt(numerators[channel] / denominators[channel]);
        }
        return out;
    }

    /** gradient directions^T, or directions^T gradient where that has more columns than rows. */
    public static double[] project(double[] gradient, double[] directions, int rows, int columns, int rank) {
        boolean ofRows = columns <= rows;
        int larger = ofRows ? rows : columns;
        double[] out = new double[larger * rank];
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                for (int k = 0; k < rank; k++) {
                    double direction = directions[ofRows ? k * columns + j : i * rank + k];
                    out[ofRows ? i * rank + k : k * columns + j] += gradient[i * columns + j] * direction;
                }
            }
        }
        return out;
    }

    /** In place; the gradient becomes the direction. */
    public static void unfactoredDirection(double[] gradient, double[] v, Inputs inputs) {
        double b = inputs.secondMomentDecay;
        for (int i = 0; i < v.length; i++) {
            double g = gradient[i] * inputs.gradientScale;
            v[i] = b * v[i] + (1 - b) * (g * g + 1e-30);
            gradient[i] = g / Math.sqrt(v[i]);
        }
    }

    public static double[] divideByNorm(double[] x, double[] partials, double least, double scale) {
        double divisor =
                Math.max(least, scale * Math.sqrt(Arrays.stream(partials).sum()));
        return Arrays.stream(x).map(v -> v / divisor).toArray();
    }

    public static double[] descend(
            double[] parameter, double[] direction, double factor, double weightDecay, Inputs inputs) {
        double rate = inputs.learningRate;
        return combine(parameter, direction, 1 - rate * weightDecay, -rate * factor);
    }

    /** a x + b y. */
    public static double[] pull(
            double[] gradient, double[] importance, double[] parameter, double[] start, double strength) {
        double[] out = new double[gradient.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = gradient[i] + strength * importance[i] * (parameter[i] - start[i]);
        }
        return out;
    }

    public static double[] combine(double[] x, double[] y, double a, double b) {
        double[] out = new double[x.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = a * x[i] + b * y[i];
        }
        return out;
    }

    /** Magnitudes over the norms of rows, whose squares are given in parts. */
    static double[] rowScales(
            double[] magnitudes,
            double[] weight,
            double[] b,
            double[] wa,
            double[] baa,
            int rows,
            int in,
            int rank,
            double scale) {
        double[] out = new double[rows];
        for (int i = 0; i < rows; i++) {
            double square = 0;
            for (int k = 0; k < in; k++) {
                square += weight[i * in + k] * weight[i * in + k];
            }
            for (int k = i * rank; k < (i + 1) * rank; k++) {
                square += 2 * scale * wa[k] * b[k] + scale * scale * baa[k] * b[k];
            }
            out[i] = magnitudes[i] / Math.sqrt(square);
        }
        return out;
    }

    /** By column, s / m times the sum of a * b. */
    static double[] columnProducts(double[] a, double[] b, double[] s, double[] m, int rows, int width) {
        double[] sums = new double[width];
        for (int i = 0; i < rows * width; i++) {
            sums[i % width] += s[i % width] / m[i % width] * a[i] * b[i];
        }
        return sums;
    }
}
