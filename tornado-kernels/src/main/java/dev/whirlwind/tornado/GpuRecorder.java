package dev.whirlwind.tornado;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Objective;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.tornado.kernels.AttentionCached;
import dev.whirlwind.tornado.kernels.AttentionTiled;
import dev.whirlwind.tornado.kernels.Factored;
import dev.whirlwind.tornado.kernels.Gemm;
import dev.whirlwind.tornado.kernels.GemmBlocked;
import dev.whirlwind.tornado.kernels.GemmTensorCores;
import dev.whirlwind.tornado.kernels.Half;
import dev.whirlwind.tornado.kernels.Moments;
import dev.whirlwind.tornado.kernels.Quantised;
import dev.whirlwind.tornado.kernels.Rows;
import dev.whirlwind.tornado.kernels.Sums;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * The forms for GPUs: every kernel is divided into groups by us, since TornadoVM takes the largest divisor of a loop's
 * length, up to groups of 1024 that need more registers than there are, and a single group where a loop is short.
 */
final class GpuRecorder extends Recorder {
    /** Work items of a group where none needs another. */
    private static final int GROUP = 256;

    /** Groups that a compute unit has at once of a product, by its registers; sums have twice as many at least. */
    private static final int GROUPS_PER_UNIT = 2;

    /** Depth below which a part of a product is not worth its result's way through memory. */
    private static final int LEAST_DEPTH = 256;

    private static final int MOST_PARTS = 32;

    /**
     * What a part of a tile costs, as depth of a wave: 128 KiB through a memory of 4 TB/s, beside 0.2 us that two groups take
     * for a depth of 1 on a unit of an H200.
     */
    private static final double DEPTH_OF_A_PART = 0.16;

    /** The same where tensor cores take a tenth of that time or less. */
    private static final double DEPTH_OF_A_PART_ON_TENSOR_CORES = 1.6;

    /** Keys below which a part of a cache is not worth its result's way through memory. */
    private static final int LEAST_KEYS = 64;

    private static final long LOGITS_BYTES = 1L << 30;

    private final int groups;
    private final boolean tensorCores;
    private Narrowed narrowed;

    /** What was narrowed for a product, and how long the stage was when it had surely not changed. */
    private record Narrowed(Tensor from, Tensor to, Stage stage, int calls) {}

    GpuRecorder(KernelEngine engine, int computeUnits) {
        this(engine, computeUnits, false);
    }

    /** With products of bfloat16 numbers on {@link TensorCores}, or without. */
    GpuRecorder(KernelEngine engine, int computeUnits, boolean tensorCores) {
        super(engine);
        groups = GROUPS_PER_UNIT * computeUnits;
        this.tensorCores = tensorCores && engine.precision() == Precision.BF16;
    }

    @Override
    int share() {
        return 1;
    }

    @Override
    void over(int items) {
        stage.grid(ceil(items, GROUP) * GROUP, 1, GROUP, 1);
    }

    /**
     * TornadoVM counts the outer loop in the first dimension; neighbours in the inner one read neighbours. It takes the
     * numbers of work items for the loops' bounds, so they are exact.
     */
    @Override
    void over(int outer, int inner) {
        int group = Math.min(GROUP, inner);
        while (inner % group != 0) {
            group--;
        }
        stage.grid(outer, inner, 1, group);
    }

    private static int ceil(int length, int by) {
        return Math.ceilDiv(length, by);
    }

    /** A group of so many items for each row. */
    private void rows(int rows) {
        stage.grid(size(rows, Rows.ITEMS), 1, Rows.ITEMS, 1);
    }

    // ---------------------------------------------------------------------------------------------- embedding

    @Override
    void embedTokensBackward(Tensor dwte, Tensor dout, int rows, int width) {
        stage.call(
                "embedTokensBackward",
                Sums::wTokenRows,
                at(dout, dwte),
                new KernelContext(),
                stage.tokens(rows),
                stage.tokenOrder(rows),
                array(dout),
                array(dwte),
                rows,
                width);
        rows(rows);
    }

    // ---------------------------------------------------------------------------------------------- norms

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
        Tensor apartRstd = apart(rstd, rows, mean);
        Tensor apartOut = apart(out, size(rows, width), mean, apartRstd);
        stage.call(
                "layerNorm",
                Rows::wLayerNormRows,
                at(x, weight, bias, mean, apartRstd, apartOut),
                new KernelContext(),
                array(x),
                array(weight),
                array(bias),
                array(mean),
                array(apartRstd),
                array(apartOut),
                width,
                eps);
        rows(rows);
        copy(apartRstd, rstd, rows);
        copy(apartOut, out, size(rows, width));
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
        stage.call(
                "layerNormBackward",
                Rows::wLayerNormBackwardRows,
                at(dout, x, mean, rstd, weight, dx),
                new KernelContext(),
                array(dout),
                array(x),
                array(mean),
                array(rstd),
                array(weight),
                array(dx),
                width);
        rows(rows);
        if (dweight != null) {
            columnSums(
                    "layerNormWeightBackward", dweight, dout, x, mean, rstd, Sums.CENTRED, rows, width, width, 0, 1, 1);
        }
        if (dbias != null) {
            biasBackward(dbias, dout, rows, width);
        }
    }

    @Override
    public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, int rows, int width, float eps) {
        Tensor apartOut = apart(out, size(rows, width), rstd);
        stage.call(
                "rmsNorm",
                Rows::wRmsNormRows,
                at(x, weight, rstd, apartOut),
                new KernelContext(),
                array(x),
                array(weight),
                array(rstd),
                array(apartOut),
                width,
                eps);
        rows(rows);
        copy(apartOut, out, size(rows, width));
    }

    @Override
    public void rmsNormBackward(
            Tensor dx, Tensor dweight, Tensor dout, Tensor x, Tensor rstd, Tensor weight, int rows, int width) {
        stage.call(
                "rmsNormBackward",
                Rows::wRmsNormBackwardRows,
                at(dout, x, rstd, weight, dx),
                new KernelContext(),
                array(dout),
                array(x),
                array(rstd),
                array(weight),
                array(dx),
                width);
        rows(rows);
        if (dweight != null) {
            columnSums("rmsNormWeightBackward", dweight, dout, x, rstd, rstd, Sums.SCALED, rows, width, width, 0, 1, 1);
        }
    }

    @Override
    public void headNorm(
            Tensor out, Tensor rstd, Tensor x, Tensor queryWeight, Tensor keyWeight, AttentionShape shape, float eps) {
        int rstds = size(shape.rows(), shape.heads() + shape.kvHeads());
        Tensor apartRstd = apart(rstd, rstds, out);
        stage.call(
                "headNorm",
                Rows::wHeadNormRows,
                at(x, queryWeight, keyWeight, apartRstd, out),
                new KernelContext(),
                array(x),
                array(queryWeight),
                array(keyWeight),
                array(apartRstd),
                array(out),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim(),
                eps);
        heads(shape);
        copy(apartRstd, rstd, rstds);
    }

    /** Rows in the first dimension: CUDA takes no more than 65,535 groups in the second. */
    private void heads(AttentionShape shape) {
        stage.grid(size(shape.rows(), Rows.HEAD_ITEMS), shape.heads() + 2 * shape.kvHeads(), Rows.HEAD_ITEMS, 1);
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
        // The weights first: dx may overwrite dout.
        if (dqueryWeight != null) {
            headNormWeightBackward(dqueryWeight, dout, x, rstd, 0, shape.heads(), shape);
        }
        if (dkeyWeight != null) {
            headNormWeightBackward(dkeyWeight, dout, x, rstd, shape.heads(), shape.kvHeads(), shape);
        }
        stage.call(
                "headNormBackward",
                Rows::wHeadNormBackwardRows,
                at(dout, x, rstd, queryWeight, keyWeight, dx),
                new KernelContext(),
                array(dout),
                array(x),
                array(rstd),
                array(queryWeight),
                array(keyWeight),
                array(dx),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim());
        heads(shape);
    }

    private void headNormWeightBackward(
            Tensor dweight, Tensor dout, Tensor x, Tensor rstd, int first, int count, AttentionShape shape) {
        columnSums(
                "headNormWeightBackward",
                dweight,
                dout,
                x,
                rstd,
                rstd,
                Sums.SCALED,
                size(shape.rows(), count),
                shape.headDim(),
                shape.qkvWidth(),
                first,
                count,
                shape.heads() + shape.kvHeads());
    }

    @Override
    void biasBackward(Tensor dbias, Tensor dout, int rows, int width) {
        boolean isNarrowed = isNarrowed(dout);
        columnSums("biasBackward", dbias, dout, dout, dout, dout, Sums.PLAIN, rows, width, width, 0, 1, 1);
        if (isNarrowed) {
            stillNarrowed(narrowed.to());
        }
    }

    /** sum += the columns' sums; see {@link Sums#wColumnSums}. */
    private void columnSums(
            String name,
            Tensor sum,
            Tensor dout,
            Tensor x,
            Tensor mean,
            Tensor rstd,
            int form,
            int rows,
            int width,
            int stride,
            int first,
            int count,
            int heads) {
        int columns = ceil(width, Sums.COLUMNS);
        int parts = Math.clamp(ceil(2 * groups, columns), 1, ceil(rows, Sums.ROWS));
        int rowsOfPart = ceil(rows, parts);
        parts = ceil(rows, rowsOfPart);
        Tensor partial = engine.scratch("sums", size(parts, width));
        stage.call(
                name,
                Sums::wColumnSums,
                at(dout, x, mean, rstd, partial),
                new KernelContext(),
                array(dout),
                array(x),
                array(mean),
                array(rstd),
                array(partial),
                rows,
                rowsOfPart,
                width,
                stride,
                first,
                count,
                4 * heads + form);
        stage.grid(columns * Sums.COLUMNS * Sums.ROWS, parts, Sums.COLUMNS * Sums.ROWS, 1);
        addParts(name, partial, sum, 0, sum, width, parts, width, Gemm.ACCUMULATE);
    }

    private void addParts(
            String name,
            Tensor partial,
            Tensor y,
            long yPerRepeat,
            Tensor bias,
            int n,
            int parts,
            int columns,
            int flags) {
        int at = at(partial, bias);
        moving(y, yPerRepeat);
        stage.call(
                name + "Parts",
                GemmBlocked::wAddParts,
                at,
                new KernelContext(),
                array(partial),
                floats(bias, y),
                array(y),
                n,
                parts,
                columns,
                flags);
        over(n);
    }

    // ---------------------------------------------------------------------------------------------- linear

    @Override
    boolean readsFewBits() {
        return true;
    }

    // A product's kernel takes both kinds of arrays for each operand, and reads one: its flags are literals. Only of
    // weights that
    // share scales it reads both.

    private static boolean isHalf(Tensor tensor) {
        return tensor.buffer() instanceof HalfMemory;
    }

    private int halfFlags(Tensor a, Tensor b) {
        int format = engine.precision() == Precision.FP16 ? GemmBlocked.FP16 : 0;
        int ofB = b.buffer() instanceof BlockMemory memory
                ? bits(memory) == Quantised.INT8 ? GemmBlocked.B_INT8 : GemmBlocked.B_NF4
                : isHalf(b) ? GemmBlocked.B_HALF : 0;
        return format | (isHalf(a) ? GemmBlocked.A_HALF : 0) | ofB;
    }

    private static FloatArray floats(Tensor tensor, Tensor other) {
        return tensor.buffer() instanceof BlockMemory memory
                ? memory.numbers()
                : array(isHalf(tensor) ? other : tensor);
    }

    private IntArray words(Tensor tensor, IntArray other) {
        return tensor.buffer() instanceof BlockMemory memory ? memory.words() : isHalf(tensor) ? words(tensor) : other;
    }

    /** Where the scales of a product's weights are, behind its tensors. */
    private void scales(Tensor weights) {
        if (weights.buffer() instanceof BlockMemory memory) {
            stage.constant(memory.scales());
        }
    }

    private FloatArray table(Tensor a, Tensor b, Tensor other) {
        return array(isHalf(a) || isHalf(b) ? engine.halfTable() : other);
    }

    @Override
    void linear(
            Tensor out, Tensor x, long xPerRepeat, Tensor weight, Tensor bias, int rows, int inWidth, int outWidth) {
        int flags = bias == null ? 0 : Gemm.BIAS;
        Tensor columns = bias == null ? weight : bias;
        if (rows <= FEW_ROWS) {
            int at = moving(x, xPerRepeat);
            at(weight, columns, out);
            scales(weight);
            stage.call(
                    "linear",
                    GemmBlocked::wGemv,
                    at,
                    new KernelContext(),
                    floats(x, out),
                    floats(weight, out),
                    words(x, stage.cursor()),
                    words(weight, stage.cursor()),
                    table(x, weight, out),
                    floats(columns, out),
                    array(out),
                    outWidth,
                    inWidth,
                    flags | halfFlags(x, weight));
            stage.grid(ceil(outWidth, 8) * GROUP, rows, GROUP, 1);
            return;
        }
        product(
                "linear",
                out,
                0,
                x,
                xPerRepeat,
                weight,
                0,
                columns,
                rows,
                outWidth,
                inWidth,
                flags | GemmBlocked.A_BY_DEPTH | GemmBlocked.B_BY_DEPTH);
    }

    @Override
    void linearBackwardInput(
            Tensor dx, long dxPerRepeat, Tensor dout, Tensor weight, int rows, int inWidth, int outWidth) {
        product(
                "linearBackwardInput",
                dx,
                dxPerRepeat,
                dout,
                0,
                weight,
                0,
                weight,
                rows,
                inWidth,
                outWidth,
                GemmBlocked.A_BY_DEPTH);
    }

    @Override
    void linearBackwardWeight(
            Tensor dweight, Tensor dout, Tensor x, long xPerRepeat, int rows, int inWidth, int outWidth) {
        product(
                "linearBackwardWeight",
                dweight,
                0,
                dout,
                0,
                x,
                xPerRepeat,
                x,
                outWidth,
                inWidth,
                rows,
                Gemm.ACCUMULATE);
    }

    private void product(
            String name,
            Tensor y,
            long yPerRepeat,
            Tensor a,
            long aPerRepeat,
            Tensor b,
            long bPerRepeat,
            Tensor bias,
            int rows,
            int columns,
            int k,
            int flags) {
        if (fitTensorCores(
                a,
                b,
                (flags & GemmBlocked.A_BY_DEPTH) == 0 ? rows : k,
                (flags & GemmBlocked.B_BY_DEPTH) == 0 ? columns : k)) {
            tensorProduct(name, y, yPerRepeat, a, aPerRepeat, b, bPerRepeat, bias, rows, columns, k, flags);
            return;
        }
        int rowTiles = ceil(rows, GemmBlocked.TILE);
        int tiles = size(rowTiles, ceil(columns, GemmBlocked.TILE));
        int parts = parts(tiles, k, DEPTH_OF_A_PART);
        int depth = ceil(ceil(k, parts), GemmBlocked.DEPTH) * GemmBlocked.DEPTH;
        parts = ceil(k, depth);
        int forms = GemmBlocked.A_BY_DEPTH | GemmBlocked.B_BY_DEPTH;
        Tensor to = parts == 1 ? y : engine.scratch("parts of a product", (long) parts * rows * columns);
        int at = moving(a, aPerRepeat);
        moving(b, bPerRepeat);
        moving(bias, 0);
        moving(to, parts == 1 ? yPerRepeat : 0);
        scales(b);
        stage.call(
                name,
                GemmBlocked::wGemmBlocked,
                at,
                new KernelContext(),
                floats(a, to),
                floats(b, to),
                words(a, stage.cursor()),
                words(b, stage.cursor()),
                table(a, b, to),
                floats(bias, to),
                array(to),
                rows,
                columns,
                k,
                depth,
                (parts == 1 ? flags : flags & forms) | halfFlags(a, b));
        stage.grid(ceil(columns, GemmBlocked.TILE) * GemmBlocked.ITEMS, rowTiles * parts, GemmBlocked.ITEMS, 1);
        if (parts > 1) {
            addParts(name, to, y, yPerRepeat, bias, size(rows, columns), parts, columns, flags);
        }
    }

    /**
     * In how many parts a product's depth is cut so that the groups' waves end full: a device has {@code groups} at once, a
     * wave takes as long as its depth, and a part's result goes through memory once more.
     */
    private int parts(int tiles, int k, double depthOfAPart) {
        int best = 1;
        double least = Double.MAX_VALUE;
        for (int parts = 1; parts <= Math.clamp(k / LEAST_DEPTH, 1, MOST_PARTS); parts++) {
            double depths = ceil(tiles * parts, groups) * (double) ceil(k, parts);
            double cost = parts == 1 ? depths : depths + parts * tiles * depthOfAPart;
            if (cost < least) {
                best = parts;
                least = cost;
            }
        }
        return best;
    }

    // ---------------------------------------------------------------------------------------------- tensor cores

    /** A product of floats alone stays one; two numbers that lie in one int must be of one row of an operand. */
    private boolean fitTensorCores(Tensor a, Tensor b, int widthA, int widthB) {
        return tensorCores
                && (isHalf(a) || isHalf(b) || isOfBlocks(b))
                && isAligned(a, widthA)
                && isAligned(b, widthB)
                && widthB % 2 == 0;
    }

    private static boolean isOfBlocks(Tensor tensor) {
        return tensor.buffer() instanceof BlockMemory;
    }

    private static boolean isAligned(Tensor tensor, int width) {
        return !isHalf(tensor) || (width % 2 == 0 && tensor.offset() % 2 == 0 && tensor.stride() % 2 == 0);
    }

    private static int even(int width) {
        return ceil(width, 2) * 2;
    }

    private void tensorProduct(
            String name,
            Tensor y,
            long yPerRepeat,
            Tensor a,
            long aPerRepeat,
            Tensor b,
            long bPerRepeat,
            Tensor bias,
            int rows,
            int columns,
            int k,
            int flags) {
        boolean aByDepth = (flags & GemmBlocked.A_BY_DEPTH) != 0;
        boolean bByDepth = (flags & GemmBlocked.B_BY_DEPTH) != 0;
        Tensor wideB = isOfBlocks(b) ? engine.scratchOfBlocks() : b;
        if (isOfBlocks(b)) {
            widenBlocks(b, wideB, (long) columns * k);
        }
        Tensor halfB =
                isHalf(b) ? b : narrowRows("b", wideB, bPerRepeat, bByDepth ? columns : k, bByDepth ? k : columns);
        Tensor halfA = isHalf(a) ? a : narrowedRows(a, aPerRepeat, aByDepth ? rows : k, aByDepth ? k : rows);
        int rowTiles = ceil(rows, GemmTensorCores.TILE);
        int columnTiles = ceil(columns, GemmTensorCores.TILE);
        int tiles = size(rowTiles, columnTiles);
        int parts = parts(tiles, k, DEPTH_OF_A_PART_ON_TENSOR_CORES);
        int depth = ceil(ceil(k, parts), GemmTensorCores.DEPTH) * GemmTensorCores.DEPTH;
        parts = ceil(k, depth);
        int forms = GemmBlocked.A_BY_DEPTH | GemmBlocked.B_BY_DEPTH;
        int done = parts == 1 ? flags : flags & forms;
        Tensor to = parts == 1 ? y : engine.scratch("parts of a product", (long) parts * rows * columns);
        Tensor own = engine.scratch(
                "fragments",
                GemmTensorCores.isDirect(rows, columns, done) ? 1 : (long) tiles * parts * GemmTensorCores.OWN_FLOATS);
        int at = moving(halfA, isHalf(a) ? aPerRepeat : 0);
        moving(halfB, isHalf(b) ? bPerRepeat : 0);
        moving(bias, 0);
        moving(to, parts == 1 ? yPerRepeat : 0);
        stage.call(
                name,
                GemmTensorCores::wGemmTensorCores,
                at,
                new KernelContext(),
                words(halfA),
                words(halfB),
                floats(bias, to),
                array(own),
                array(to),
                rows,
                columns,
                k,
                depth,
                done,
                even(aByDepth ? k : rows));
        stage.grid(columnTiles * GemmTensorCores.ITEMS, rowTiles * parts, GemmTensorCores.ITEMS, 1);
        if (parts > 1) {
            addParts(name, to, y, yPerRepeat, bias, size(rows, columns), parts, columns, flags);
        }
        if (!isHalf(a) && !y.buffer().equals(a.buffer())) {
            stillNarrowed(halfA);
        }
    }

    /** The rows in 16 bits; two products of the same gradient that follow each other share them. */
    private Tensor narrowedRows(Tensor x, long perRepeat, int rows, int width) {
        Tensor half = isNarrowed(x) ? narrowed.to() : narrowRows("a", x, perRepeat, rows, width);
        narrowed = new Narrowed(x, half, stage, stage.calls().size());
        return half;
    }

    private boolean isNarrowed(Tensor x) {
        return narrowed != null
                && narrowed.from().equals(x)
                && narrowed.stage() == stage
                && narrowed.calls() == stage.calls().size();
    }

    private void stillNarrowed(Tensor half) {
        narrowed = new Narrowed(narrowed.from(), half, stage, stage.calls().size());
    }

    private Tensor narrowRows(String name, Tensor x, long perRepeat, int rows, int width) {
        Tensor half = engine.scratchHalves(name, (long) rows * even(width));
        int at = moving(x, perRepeat);
        moving(half, 0);
        narrow(at, x, half, rows, width, false);
        return half;
    }

    private void narrow(int at, Tensor x, Tensor half, int rows, int width, boolean round) {
        stage.call(
                "narrow",
                Half::wNarrowBf16,
                at,
                new KernelContext(),
                array(x),
                words(half),
                rows,
                width,
                even(width),
                round ? 1 : 0);
        over(size(rows, even(width) / 2));
    }

    @Override
    void narrow(Tensor x, Tensor half, long length, boolean round) {
        if (tensorCores) {
            narrow(at(x, half), x, half, 1, Math.toIntExact(length), round);
        } else {
            super.narrow(x, half, length, round);
        }
    }

    @Override
    void widen(Tensor half, Tensor x, long length) {
        if (!tensorCores) {
            super.widen(half, x, length);
            return;
        }
        int n = Math.toIntExact(length);
        stage.call("widen", Half::wWidenBf16, at(half, x), new KernelContext(), words(half), array(x), n);
        over(n);
    }

    @Override
    void roundMoments(Tensor x, Tensor moments, long length) {
        BlockMemory memory = (BlockMemory) moments.buffer();
        stage.call(
                "roundMoments",
                Moments::wRoundMomentsOfGroup,
                at(x, moments),
                new KernelContext(),
                array(x),
                memory.numbers(),
                memory.words(),
                Math.toIntExact(length),
                Math.toIntExact(memory.length()));
        stage.grid((ceil(Math.toIntExact(length), Moments.BLOCK) + 1) * Moments.BLOCK, 1, Moments.BLOCK, 1);
    }

    // ---------------------------------------------------------------------------------------------- attention

    @Override
    public void attention(Tensor out, Tensor lse, Tensor qkv, AttentionShape shape, Dropout dropout) {
        if (shape.headDim() > AttentionTiled.MAX_HEAD_DIM) {
            super.attention(out, lse, qkv, shape, dropout);
            return;
        }
        int lses = size(shape.rows(), shape.heads());
        Tensor apartLse = apart(lse, lses, out);
        int at = at(qkv, apartLse, out);
        stage.constant(dropout.site());
        stage.attention(shape);
        stage.call(
                "attention",
                AttentionTiled::wAttentionTiled,
                at,
                new KernelContext(),
                stage.documents(shape.rows()),
                array(qkv),
                array(apartLse),
                array(out),
                shape.sequence(),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim(),
                dropout.threshold(),
                dropout.keptScale());
        tiles(shape, shape.heads());
        copy(apartLse, lse, lses);
    }

    private void tiles(AttentionShape shape, int heads) {
        stage.grid(
                ceil(shape.sequence(), AttentionTiled.TILE) * AttentionTiled.SIDE,
                size(shape.batch() * heads, AttentionTiled.SIDE),
                AttentionTiled.SIDE,
                AttentionTiled.SIDE);
    }

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
        if (shape.headDim() > AttentionTiled.MAX_HEAD_DIM) {
            super.attentionBackward(dqkv, dout, out, lse, qkv, delta, shape, dropout);
            return;
        }
        attentionDelta(delta, dout, out, shape);
        int at = at(qkv, dout, lse, delta, dqkv);
        stage.constant(dropout.site());
        stage.attention(shape);
        stage.call(
                "attentionQueryBackward",
                AttentionTiled::wAttentionQueryBackwardTiled,
                at,
                new KernelContext(),
                stage.documents(shape.rows()),
                array(qkv),
                array(dout),
                array(lse),
                array(delta),
                array(dqkv),
                shape.sequence(),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim(),
                dropout.threshold(),
                dropout.keptScale());
        tiles(shape, shape.heads());
        keyValueBackward(dqkv, dout, lse, qkv, delta, shape, dropout);
    }

    /** Query heads that share a key head are cut into parts where there are fewer keys than fill the device. */
    private void keyValueBackward(
            Tensor dqkv, Tensor dout, Tensor lse, Tensor qkv, Tensor delta, AttentionShape shape, Dropout dropout) {
        int group = shape.heads() / shape.kvHeads();
        int tiles = size(ceil(shape.sequence(), AttentionTiled.TILE), shape.batch() * shape.kvHeads());
        int parts = ceil(group, ceil(group, Math.min(group, ceil(2 * groups, tiles))));
        int kvWidth = 2 * shape.kvHeads() * shape.headDim();
        Tensor to =
                parts == 1 ? dqkv : engine.scratch("parts of keys' gradients", (long) shape.rows() * parts * kvWidth);
        int at = at(qkv, dout, lse, delta, to);
        stage.constant(dropout.site());
        stage.attention(shape);
        stage.constant(parts);
        stage.constant(shape.rows());
        stage.call(
                "attentionKeyValueBackward",
                AttentionTiled::wAttentionKeyValueBackwardTiled,
                at,
                new KernelContext(),
                stage.documents(shape.rows()),
                array(qkv),
                array(dout),
                array(lse),
                array(delta),
                array(to),
                shape.sequence(),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim(),
                dropout.threshold(),
                dropout.keptScale());
        tiles(shape, shape.kvHeads() * parts);
        if (parts > 1) {
            stage.call(
                    "attentionKeyValueParts",
                    AttentionTiled::wKeyValueParts,
                    at(to, dqkv),
                    array(to),
                    array(dqkv),
                    shape.rows(),
                    kvWidth,
                    parts,
                    shape.keyOffset());
            over(shape.rows(), kvWidth);
        }
    }

    @Override
    void attend(Tensor out, Tensor cache, Tensor qkv, AttentionShape shape, int capacity) {
        if (shape.headDim() > AttentionCached.MAX_HEAD_DIM) {
            super.attend(out, cache, qkv, shape, capacity);
            return;
        }
        int group = shape.heads() / shape.kvHeads();
        int sharers = ceil(group, AttentionCached.MAX_SHARED);
        int queries = size(shape.rows(), shape.kvHeads() * sharers);
        int parts = Math.max(1, Math.min(ceil(2 * groups, queries), ceil(capacity, LEAST_KEYS)));
        int length = parts == 1 ? shape.headDim() : parts * (shape.headDim() + 2);
        int rowsAndHeads = size(shape.rows(), shape.heads());
        Tensor to = parts == 1 ? out : engine.scratch("parts of attention", (long) rowsAndHeads * length);
        int at = at(qkv, cache, to);
        stage.attention(shape);
        stage.call(
                "cachedAttention",
                AttentionCached::wCachedAttentionRows,
                at,
                new KernelContext(),
                array(qkv),
                array(cache),
                array(to),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim(),
                ceil(group, sharers),
                parts);
        stage.grid(
                size(shape.rows(), AttentionCached.ITEMS), shape.kvHeads() * sharers * parts, AttentionCached.ITEMS, 1);
        if (parts > 1) {
            stage.call(
                    "cachedAttentionParts",
                    AttentionCached::wCachedAttentionParts,
                    at(to, out),
                    array(to),
                    array(out),
                    rowsAndHeads,
                    shape.headDim(),
                    parts);
            over(rowsAndHeads, shape.headDim());
        }
    }

    // ---------------------------------------------------------------------------------------------- head

    @Override
    long logitsBytes() {
        return LOGITS_BYTES;
    }

    @Override
    void nll(Tensor nll, Tensor logits, int rows, int count, int vocabulary) {
        int at = at(logits);
        moving(nll, count);
        stage.call(
                "headLoss",
                Rows::wNllRows,
                at,
                new KernelContext(),
                stage.targets(rows),
                array(logits),
                array(nll),
                vocabulary);
        rows(count);
    }

    @Override
    void nllBackward(Tensor nll, Tensor logits, int rows, int count, int vocabulary) {
        int at = moving(nll, count);
        at(logits);
        stage.call(
                "headLossBackward",
                Rows::wNllBackwardRows,
                at,
                new KernelContext(),
                stage.targets(rows),
                stage.floats(),
                array(nll),
                array(logits),
                vocabulary);
        rows(count);
    }

    @Override
    void keptTeacher(Tensor taught, Tensor logits, int top, float temperature, int count, int vocabulary) {
        stage.call(
                "keptTeacher",
                Rows::wKeptTeacherRows,
                at(logits, taught),
                new KernelContext(),
                stage.taughtTokens(count * top),
                stage.taughtProbabilities(count * (top + 1)),
                array(logits),
                array(taught),
                vocabulary,
                top,
                temperature);
        rows(count);
    }

    @Override
    void objective(
            Tensor losses, Tensor taught, Tensor logits, Objective objective, int rows, int count, int vocabulary) {
        int at = moving(losses, count);
        at(taught, logits);
        stage.call(
                "headObjectiveBackward",
                Rows::wObjectiveRows,
                at,
                new KernelContext(),
                stage.targets(rows),
                stage.floats(),
                array(taught),
                array(losses),
                array(logits),
                rows,
                vocabulary,
                objective.labelSmoothing(),
                objective.zLoss(),
                objective.distillation(),
                objective.temperature());
        rows(count);
    }

    // ---------------------------------------------------------------------------------------------- optimizer

    /** Several for each partial sum, where there is enough to add up and units for them. */
    @Override
    int stretches(long length) {
        return PARTIALS * Math.clamp(length / PARTIALS / GROUP, 1, ceil(2 * groups, PARTIALS));
    }

    @Override
    void squares(Tensor sums, Tensor x, int n, int stretches, int stretch) {
        stage.call("sumOfSquares", Sums::wSquares, at(x, sums), new KernelContext(), array(x), array(sums), n, stretch);
        stage.grid(stretches * GROUP, 1, GROUP, 1);
    }

    @Override
    void addStretches(Tensor partials, Tensor sums, int stretches) {
        if (stretches > PARTIALS) {
            addParts("sumOfSquares", sums, partials, 0, partials, PARTIALS, stretches / PARTIALS, PARTIALS, 0);
        }
    }

    @Override
    void mean(Tensor mean, Tensor x, int n) {
        sumOfGroup("mean", mean, x, n, 0, 0);
    }

    @Override
    void factorOfNorm(Tensor factor, Tensor partials, float least, float scale) {
        sumOfGroup("factorOfNorm", factor, partials, PARTIALS, least, scale);
    }

    private void sumOfGroup(String name, Tensor y, Tensor x, int n, float least, float scale) {
        stage.call(name, Sums::wSumOfGroup, at(x, y), new KernelContext(), array(x), array(y), n, least, scale);
        stage.grid(GROUP, 1, GROUP, 1);
    }

    @Override
    void rowSquares(Tensor sums, Tensor x, int rows, int columns) {
        stage.call(
                "rowSquares",
                Factored::wRowSquaresOfGroup,
                at(x, sums),
                new KernelContext(),
                array(x),
                array(sums),
                columns);
        rows(rows);
    }

    @Override
    void columnSquares(Tensor sums, Tensor x, int rows, int columns) {
        zero(sums, columns);
        columnSums("columnSquares", sums, x, x, x, x, Sums.SQUARED, rows, columns, columns, 0, 1, 1);
    }
}
