package dev.whirlwind.cpu;

import static dev.whirlwind.cpu.Memory.ALL;
import static dev.whirlwind.cpu.Memory.LANES;
import static dev.whirlwind.cpu.Memory.ORDER;
import static dev.whirlwind.cpu.Memory.SPECIES;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Objective;
import dev.whirlwind.model.Ops;
import java.lang.foreign.Arena;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The output head and its loss: with logits = x * W^T and p = softmax(logits) by row, nll = -log p[target], and the
 * gradient of the logits is (p - onehot(target)) * lossScale. Logits are held for a chunk of rows only: as many as fit
 * into {@link Ops#LOGITS_BYTES}, because every chunk reads all weights, and fewer rows would make that the cost.
 */
final class HeadLoss implements Workers.Task {
    /** Floats whose exponentials are summed in float before the sum goes on in double. */
    private static final int FLOATS_IN_A_SUM = 64 * LANES;

    private static final long VECTOR = 4L * LANES;

    private final Workers workers;
    private final Gemm gemm;
    private final Arena arena;

    /** For each worker: exponentials of part of a row. */
    private final float[][] exponentials;

    private long logits;
    private long capacity;

    private int[] targets;
    private long nll;
    private float lossScale;
    private boolean gradient;
    private Aim aim;
    private long teacherLogits;
    private long teacherCapacity;
    private int rows;
    private int firstRow;
    private int vocabulary;
    private int step;

    /**
     * Another objective.
     *
     * @param teacherX address of the teacher's rows; 0 where there are none
     * @param teacherWeight address of its head; 0 where there is none
     * @param teacherWidth the rows' width; of a kept teacher, tokens that are kept of it
     * @param kept what holds those; null where there are none
     */
    record Aim(Objective objective, long teacherX, long teacherWeight, int teacherWidth, Inputs kept) {
        boolean teaches() {
            return teacherX != 0 || kept != null;
        }
    }

    /** Takes memory for logits from the arena when it is first used. */
    HeadLoss(Workers workers, Gemm gemm, Arena arena) {
        this.workers = workers;
        this.gemm = gemm;
        this.arena = arena;
        exponentials = new float[workers.threads()][FLOATS_IN_A_SUM + LANES];
    }

    /**
     * nll [rows] = -log softmax(x * weight^T)[target], and 0 where the target is negative.
     *
     * @param x [rows, width]
     * @param weight [vocabulary, width]
     * @param targets [rows], below vocabulary
     */
    void forward(long nll, long x, long weight, int[] targets, int rows, int width, int vocabulary) {
        this.gradient = false;
        chunks(nll, 0, 0, x, weight, targets, rows, width, vocabulary);
    }

    /** As {@link #forward}, with dx [rows, width] = the gradient of x and dweight, 0 for none, += that of the weights. */
    void backward(
            long nll,
            long dx,
            long dweight,
            long x,
            long weight,
            int[] targets,
            float lossScale,
            int rows,
            int width,
            int vocabulary) {
        this.gradient = true;
        this.lossScale = lossScale;
        chunks(nll, dx, dweight, x, weight, targets, rows, width, vocabulary);
    }

    /** As {@link #backward} for another objective, whose values follow those of nll: losses [2, rows]. */
    void objective(
            Aim aim,
            long losses,
            long dx,
            long dweight,
            long x,
            long weight,
            int[] targets,
            float lossScale,
            int rows,
            int width,
            int vocabulary) {
        this.aim = aim;
        this.rows = rows;
        Memory.zero(losses + 4L * rows, rows);
        backward(losses, dx, dweight, x, weight, targets, lossScale, rows, width, vocabulary);
        this.aim = null;
    }

    private void chunks(
            long nll, long dx, long dweight, long x, long weight, int[] targets, int rows, int width, int vocabulary) {
        this.nll = nll;
        this.targets = targets;
        this.vocabulary = vocabulary;
        step = Ops.logitsStep(vocabulary);
        int chunk = Ops.logitsRows(rows, vocabulary);
        reserve((long) chunk * step);
        for (firstRow = 0; firstRow < rows; firstRow += chunk) {
            int count = Math.min(chunk, rows - firstRow);
            long in = x + 4L * firstRow * width;
            if (!anyTarget(firstRow, count)) {
                Memory.zero(nll + 4L * firstRow, count);
                if (gradient) {
                    Memory.zero(dx + 4L * firstRow * width, (long) count * width);
                }
                continue;
            }
            gemm.abT(logits, step, in, width, weight, width, 0, count, vocabulary, width, false);
            if (aim != null && aim.teaches() && teacherCapacity < (long) count * step) {
                teacherCapacity = (long) count * step;
                teacherLogits = Memory.allocate(arena, teacherCapacity).address();
            }
            if (aim != null && aim.teacherX() != 0) {
                int teacherWidth = aim.teacherWidth();
                long seen = aim.teacherX() + 4L * firstRow * teacherWidth;
                gemm.abT(
                        teacherLogits,
                        step,
                        seen,
                        teacherWidth,
                        aim.teacherWeight(),
                        teacherWidth,
                        0,
                        count,
                        vocabulary,
                        teacherWidth,
                        false);
            }
            workers.run(count, this);
            if (gradient) {
                long din = dx + 4L * firstRow * width;
                gemm.ab(din, width, logits, step, weight, width, count, width, vocabulary, false);
                if (dweight != 0) {
                    gemm.aTb(dweight, width, logits, step, in, width, vocabulary, width, count, true);
                }
            }
        }
        this.targets = null;
    }

    private void reserve(long floats) {
        if (floats > capacity) {
            logits = Memory.allocate(arena, floats).address();
            capacity = floats;
        }
    }

    private boolean anyTarget(int from, int count) {
        for (int row = from; row < from + count; row++) {
            if (targets[row] >= 0) {
                return true;
            }
        }
        return false;
    }

    /** One row of the chunk: its loss, and its logits replaced by their gradient. */
    @Override
    public void run(int task, int worker) {
        int target = targets[firstRow + task];
        long row = logits + 4L * task * step;
        long loss = nll + 4L * (firstRow + task);
        if (target < 0) {
            Memory.set(loss, 0);
            if (gradient) {
                Memory.zero(row, vocabulary);
            }
            return;
        }
        if (aim != null) {
            long teacher = aim.teaches() ? teacherLogits + 4L * task * step : 0;
            if (aim.kept() != null) {
                KeptTeacher.complete(
                        aim.kept(),
                        aim.teacherWidth(),
                        firstRow + task,
                        aim.objective().temperature(),
                        row,
                        teacher,
                        vocabulary);
            }
            ObjectiveRow result = new ObjectiveRow(aim.objective(), row, teacher, target, vocabulary);
            Memory.set(loss, (float) result.nll());
            Memory.set(loss + 4L * rows, (float) result.value());
            result.intoGradient(lossScale);
            return;
        }
        float max = max(row, vocabulary);
        float atTarget = Memory.get(row + 4L * target);
        float[] part = exponentials[worker];
        double sum = 0;
        for (int from = 0; from < vocabulary; from += FLOATS_IN_A_SUM) {
            int count = Math.min(FLOATS_IN_A_SUM, vocabulary - from);
            Memory.copy(row + 4L * from, part, 0, count);
            VectorMath.exponentials(part, 0, max, count);
            if (gradient) {
                Memory.copy(part, row + 4L * from, count);
            }
            sum += VectorMath.sum(part, count);
        }
        Memory.set(loss, (float) (Math.log(sum) + ((double) max - atTarget)));
        if (gradient) {
            double probability = Memory.get(row + 4L * target) / sum;
            scale(row, vocabulary, (float) (lossScale / sum));
            Memory.set(row + 4L * target, (float) ((probability - 1) * lossScale));
        }
    }

    static float max(long x, int count) {
        FloatVector max0 = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        FloatVector max1 = max0;
        int whole = count - count % (2 * LANES);
        for (int i = 0; i < whole; i += 2 * LANES) {
            max0 = max0.max(fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER));
            max1 = max1.max(fromMemorySegment(SPECIES, ALL, x + 4L * i + VECTOR, ORDER));
        }
        float max = max0.max(max1).reduceLanes(VectorOperators.MAX);
        for (int i = whole; i < count; i++) {
            max = Math.max(max, Memory.get(x + 4L * i));
        }
        return max;
    }

    private static void scale(long x, int count, float factor) {
        int whole = SPECIES.loopBound(count);
        for (int i = 0; i < whole; i += LANES) {
            fromMemorySegment(SPECIES, ALL, x + 4L * i, ORDER).mul(factor).intoMemorySegment(ALL, x + 4L * i, ORDER);
        }
        for (int i = whole; i < count; i++) {
            Memory.set(x + 4L * i, Memory.get(x + 4L * i) * factor);
        }
    }
}
