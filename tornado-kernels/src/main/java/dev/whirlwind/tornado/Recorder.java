package dev.whirlwind.tornado;

import dev.whirlwind.model.Activation;
import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.Objective;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Philox;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.tornado.kernels.Activations;
import dev.whirlwind.tornado.kernels.Attention;
import dev.whirlwind.tornado.kernels.ColumnLoops;
import dev.whirlwind.tornado.kernels.Directions;
import dev.whirlwind.tornado.kernels.Elementwise;
import dev.whirlwind.tornado.kernels.Embedding;
import dev.whirlwind.tornado.kernels.Factored;
import dev.whirlwind.tornado.kernels.Gemm;
import dev.whirlwind.tornado.kernels.Half;
import dev.whirlwind.tornado.kernels.Head;
import dev.whirlwind.tornado.kernels.HeadNorm;
import dev.whirlwind.tornado.kernels.Moments;
import dev.whirlwind.tornado.kernels.Norm;
import dev.whirlwind.tornado.kernels.Optimizer;
import dev.whirlwind.tornado.kernels.Quantised;
import dev.whirlwind.tornado.kernels.Rope;
import java.util.ArrayList;
import java.util.List;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Translates operations into kernel calls, in the forms for CPU devices. Kernels take what they read before what they
 * write, and write an array by one argument only: TornadoVM's scheduler never ends when an argument comes again after it
 * was written.
 */
class Recorder implements Ops {
    /** Depth of a product at which a panel takes 256 KiB, so that it stays in an L2 cache beside the other operand. */
    private static final int DEPTH = 4096;

    /** Rows up to which a product's work is to read the weights. */
    static final int FEW_ROWS = 4;

    final KernelEngine engine;
    private final List<Stage> stages = new ArrayList<>();
    Stage stage = new Stage();

    Recorder(KernelEngine engine) {
        this.engine = engine;
        stages.add(stage);
    }

    List<Stage> stages() {
        return stages.stream().filter(s -> !s.calls().isEmpty()).toList();
    }

    private void begin(Stage next) {
        stage = next;
        stages.add(next);
    }

    /** Another operation follows. */
    final void next() {
        if (stage.isFull()) {
            begin(new Stage());
        }
    }

    final int at(Tensor... tensors) {
        return stage.at(tensors);
    }

    /** In a repeated stage the head's tensors move. */
    final int moving(Tensor tensor, long perRepeat) {
        if (perRepeat == 0) {
            return at(tensor);
        }
        return stage.moving(tensor, perRepeat);
    }

    static FloatArray array(Tensor tensor) {
        return ((Memory) tensor.buffer()).array();
    }

    /** Neighbouring elements that a work item has, for vectors of them. */
    int share() {
        return 1024;
    }

    final int shares(int elements) {
        return (int) ((elements + (long) share() - 1) / share());
    }

    /** How many work items the last call's parallel loop has; CPU devices leave their division to TornadoVM. */
    void over(int items) {}

    /** The same for two nested loops. */
    void over(int outer, int inner) {}

    static int size(int rows, int width) {
        return Math.multiplyExact(rows, width);
    }

    /** Scratch in place of a tensor whose array the same kernel writes already, to be copied by {@link #copy}. */
    final Tensor apart(Tensor tensor, long length, Tensor... written) {
        for (Tensor other : written) {
            if (array(other) == array(tensor)) {
                return engine.scratch("what shares a buffer " + written.length, length);
            }
        }
        return tensor;
    }

    final void copy(Tensor from, Tensor to, long length) {
        if (!from.equals(to)) {
            stage.call(
                    "copy", Elementwise::wCopy, at(from, to), array(from), array(to), Math.toIntExact(length), share());
            over(shares(Math.toIntExact(length)));
        }
    }

    // ---------------------------------------------------------------------------------------------- 16 bits

    static IntArray words(Tensor tensor) {
        return ((HalfMemory) tensor.buffer()).words();
    }

    /** Whether matrix products read fewer bits, of x and of weights. */
    boolean readsFewBits() {
        return false;
    }

    /** half = x; with {@code round}, x becomes what half holds. */
    void narrow(Tensor x, Tensor half, long length, boolean round) {
        int n = Math.toIntExact(length);
        stage.call(
                "narrow",
                Half::wNarrow,
                at(x, half),
                array(engine.halfTable()),
                array(x),
                words(half),
                n,
                share(),
                engine.exponentBits(),
                round ? 1 : 0);
        over(shares((n + 1) / 2));
    }

    /** half = x, rounded at random. */
    final void roundAtRandom(Tensor x, Tensor half, long length, int site) {
        int n = Math.toIntExact(length);
        stage.call(
                "roundAtRandom",
                Half::wRoundAtRandom,
                at(x, half),
                array(engine.halfTable()),
                array(x),
                words(half),
                n,
                share(),
                engine.exponentBits(),
                site);
        over(shares((n + 1) / 2));
    }

    /** embed of tables of 16 bits; wpe may be null. */
    final void embedHalves(Tensor out, Tensor wte, Tensor wpe, int batch, int sequence, int width) {
        int rows = size(batch, sequence);
        Tensor places = wpe == null ? wte : wpe;
        stage.call(
                "embedHalves",
                Embedding::wEmbedHalves,
                at(wte, places, out),
                stage.tokens(rows),
                stage.documents(rows),
                array(engine.halfTable()),
                words(wte),
                words(places),
                array(out),
                rows,
                sequence,
                width,
                engine.exponentBits(),
                wpe == null ? 0 : 1);
        over(rows, width);
    }

    /** x = half. */
    void widen(Tensor half, Tensor x, long length) {
        int n = Math.toIntExact(length);
        stage.call(
                "widen",
                Half::wWiden,
                at(half, x),
                array(engine.halfTable()),
                words(half),
                array(x),
                n,
                share(),
                engine.exponentBits());
        over(shares(n));
    }

    // ---------------------------------------------------------------------------------------------- blocks

    static int bits(BlockMemory memory) {
        return memory.blocks().format() == Format.INT8 ? Quantised.INT8 : Quantised.NF4;
    }

    /** x = weights that share scales, from a block's first on. */
    final void widenBlocks(Tensor weights, Tensor x, long length) {
        BlockMemory memory = (BlockMemory) weights.buffer();
        int ints = Math.toIntExact(length * bits(memory) / Integer.SIZE);
        int at = at(weights, x);
        stage.constant(memory.scales());
        stage.call(
                "widenBlocks",
                Quantised::wWidenBlocks,
                at,
                memory.numbers(),
                memory.words(),
                array(x),
                ints,
                share(),
                bits(memory));
        over(shares(ints));
    }

    /** x = moments of eight bits. */
    final void widenMoments(Tensor moments, Tensor x, long length) {
        BlockMemory memory = (BlockMemory) moments.buffer();
        int n = Math.toIntExact(length);
        stage.call(
                "widenMoments",
                Moments::wWidenMoments,
                at(moments, x),
                memory.numbers(),
                memory.words(),
                array(x),
                n,
                share());
        over(shares(n));
    }

    /** Moments of eight bits = x. */
    void roundMoments(Tensor x, Tensor moments, long length) {
        BlockMemory memory = (BlockMemory) moments.buffer();
        stage.call(
                "roundMoments",
                Moments::wRoundMoments,
                at(x, moments),
                array(x),
                memory.numbers(),
                memory.words(),
                Math.toIntExact(length),
                Moments.BLOCK,
                Math.toIntExact(memory.length()));
    }

    // ---------------------------------------------------------------------------------------------- embedding

    @Override
    public void embed(Tensor out, Tensor wte, Tensor wpe, int batch, int sequence, int width) {
        int rows = size(batch, sequence);
        if (wpe == null) {
            stage.call(
                    "embed",
                    Embedding::wEmbedTokens,
                    at(wte, out),
                    stage.tokens(rows),
                    array(wte),
                    array(out),
                    rows,
                    width);
            over(rows, width);
        } else {
            stage.call(
                    "embed",
                    Embedding::wEmbed,
                    at(wte, wpe, out),
                    stage.tokens(rows),
                    stage.documents(rows),
                    array(wte),
                    array(wpe),
                    array(out),
                    rows,
                    sequence,
                    width);
            over(rows, width);
        }
    }

    @Override
    public void embedBackward(Tensor dwte, Tensor dwpe, Tensor dout, int batch, int sequence, int width) {
        int rows = size(batch, sequence);
        if (dwte != null) {
            embedTokensBackward(dwte, dout, rows, width);
        }
        if (dwpe != null) {
            stage.call(
                    "embedPositionsBackward",
                    Embedding::wEmbedPositionsBackward,
                    at(dout, dwpe),
                    stage.documents(rows),
                    array(dout),
                    array(dwpe),
                    batch,
                    sequence,
                    width);
            over(sequence, width);
        }
    }

    void embedTokensBackward(Tensor dwte, Tensor dout, int rows, int width) {
        stage.call(
                "embedTokensBackward",
                Embedding::wEmbedTokensBackward,
                at(dout, dwte),
                stage.tokens(rows),
                array(dout),
                array(dwte),
                rows,
                width);
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
                Norm::wLayerNorm,
                at(x, weight, bias, mean, apartRstd, apartOut),
                array(x),
                array(weight),
                array(bias),
                array(mean),
                array(apartRstd),
                array(apartOut),
                rows,
                width,
                eps);
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
                Norm::wLayerNormBackward,
                at(dout, x, mean, rstd, weight, dx),
                array(dout),
                array(x),
                array(mean),
                array(rstd),
                array(weight),
                array(dx),
                rows,
                width);
        if (dweight != null) {
            stage.call(
                    "layerNormWeightBackward",
                    Norm::wLayerNormWeightBackward,
                    at(dout, x, mean, rstd, dweight),
                    array(dout),
                    array(x),
                    array(mean),
                    array(rstd),
                    array(dweight),
                    rows,
                    width);
        }
        if (dbias != null) {
            biasBackward(dbias, dout, rows, width);
        }
    }

    void biasBackward(Tensor dbias, Tensor dout, int rows, int width) {
        stage.call("biasBackward", Norm::wBiasBackward, at(dout, dbias), array(dout), array(dbias), rows, width);
    }

    @Override
    public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, int rows, int width, float eps) {
        Tensor apartOut = apart(out, size(rows, width), rstd);
        stage.call(
                "rmsNorm",
                Norm::wRmsNorm,
                at(x, weight, rstd, apartOut),
                array(x),
                array(weight),
                array(rstd),
                array(apartOut),
                rows,
                width,
                eps);
        copy(apartOut, out, size(rows, width));
    }

    @Override
    public void rmsNormBackward(
            Tensor dx, Tensor dweight, Tensor dout, Tensor x, Tensor rstd, Tensor weight, int rows, int width) {
        stage.call(
                "rmsNormBackward",
                Norm::wRmsNormBackward,
                at(dout, x, rstd, weight, dx),
                array(dout),
                array(x),
                array(rstd),
                array(weight),
                array(dx),
                rows,
                width);
        if (dweight != null) {
            stage.call(
                    "rmsNormWeightBackward",
                    Norm::wRmsNormWeightBackward,
                    at(dout, x, rstd, dweight),
                    array(dout),
                    array(x),
                    array(rstd),
                    array(dweight),
                    rows,
                    width);
        }
    }

    @Override
    public void headNorm(
            Tensor out, Tensor rstd, Tensor x, Tensor queryWeight, Tensor keyWeight, AttentionShape shape, float eps) {
        int rstds = size(shape.rows(), shape.heads() + shape.kvHeads());
        Tensor apartRstd = apart(rstd, rstds, out);
        stage.call(
                "headNorm",
                HeadNorm::wHeadNorm,
                at(x, queryWeight, keyWeight, apartRstd, out),
                array(x),
                array(queryWeight),
                array(keyWeight),
                array(apartRstd),
                array(out),
                shape.rows(),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim(),
                eps);
        copy(apartRstd, rstd, rstds);
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
                HeadNorm::wHeadNormBackward,
                at(dout, x, rstd, queryWeight, keyWeight, dx),
                array(dout),
                array(x),
                array(rstd),
                array(queryWeight),
                array(keyWeight),
                array(dx),
                shape.rows(),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim());
    }

    private void headNormWeightBackward(
            Tensor dweight, Tensor dout, Tensor x, Tensor rstd, int first, int count, AttentionShape shape) {
        stage.call(
                "headNormWeightBackward",
                HeadNorm::wHeadNormWeightBackward,
                at(dout, x, rstd, dweight),
                array(dout),
                array(x),
                array(rstd),
                array(dweight),
                shape.rows(),
                first,
                count,
                shape.headDim(),
                shape.qkvWidth(),
                shape.heads() + shape.kvHeads());
    }

    // ---------------------------------------------------------------------------------------------- linear

    @Override
    public void linear(Tensor out, Tensor x, Tensor weight, Tensor bias, int rows, int inWidth, int outWidth) {
        linear(out, x, 0, weight, bias, rows, inWidth, outWidth);
    }

    /** Lanes are rows, whose elements are not neighbours: packed. */
    void linear(
            Tensor out, Tensor x, long xPerRepeat, Tensor weight, Tensor bias, int rows, int inWidth, int outWidth) {
        Tensor start = bias == null ? weight : bias;
        int flags = bias == null ? 0 : Gemm.BIAS;
        if (rows <= FEW_ROWS) {
            int at = moving(x, xPerRepeat);
            at(weight, start, out);
            stage.call(
                    "linear",
                    Gemm::wGemv,
                    new int[] {at, rows, inWidth, outWidth},
                    array(x),
                    array(weight),
                    array(start),
                    array(out),
                    flags);
            stage.grid(rows, upTo(outWidth, Gemm.BLOCKS), 1, Gemm.BLOCKS);
            return;
        }
        Tensor panels = pack("panels", x, xPerRepeat, rows, inWidth, inWidth, 1);
        int lanes = padded(rows);
        Tensor y = lanes == rows ? out : engine.scratch("padded rows", (long) lanes * outWidth);
        gemm("linear", panels, weight, start, y, 0, lanes, outWidth, inWidth, flags);
        copy(y, out, (long) rows * outWidth);
    }

    @Override
    public void linearBackwardInput(Tensor dx, Tensor dout, Tensor weight, int rows, int inWidth, int outWidth) {
        linearBackwardInput(dx, 0, dout, weight, rows, inWidth, outWidth);
    }

    void linearBackwardInput(
            Tensor dx, long dxPerRepeat, Tensor dout, Tensor weight, int rows, int inWidth, int outWidth) {
        byColumns(
                "linearBackwardInput",
                dx,
                dxPerRepeat,
                weight,
                0,
                dout,
                inWidth,
                rows,
                outWidth,
                Gemm.LANES_ARE_COLUMNS);
    }

    @Override
    public void linearBackwardWeight(
            Tensor dweight, Tensor dbias, Tensor dout, Tensor x, int rows, int inWidth, int outWidth) {
        if (dweight != null) {
            linearBackwardWeight(dweight, dout, x, 0, rows, inWidth, outWidth);
        }
        if (dbias != null) {
            biasBackward(dbias, dout, rows, outWidth);
        }
    }

    void linearBackwardWeight(
            Tensor dweight, Tensor dout, Tensor x, long xPerRepeat, int rows, int inWidth, int outWidth) {
        // Its rows lie on other pages, as x's do.
        Tensor panels = pack("panels of rows", dout, 0, outWidth, rows, 1, outWidth);
        byColumns(
                "linearBackwardWeight",
                dweight,
                0,
                x,
                xPerRepeat,
                panels,
                inWidth,
                outWidth,
                rows,
                Gemm.LANES_ARE_COLUMNS | Gemm.ACCUMULATE | Gemm.B_PACKED);
    }

    /** y[js, columns] of a[k, columns] and b. Lanes are neighbours, but a panel's rows lie on other pages: packed, too. */
    private void byColumns(
            String name,
            Tensor y,
            long yPerRepeat,
            Tensor a,
            long aPerRepeat,
            Tensor b,
            int columns,
            int js,
            int k,
            int flags) {
        int lanes = padded(columns);
        boolean whole = lanes == columns;
        Tensor panels = pack("panels", a, aPerRepeat, columns, k, 1, columns);
        Tensor to = whole ? y : engine.scratch("padded columns", (long) js * lanes);
        int first = whole ? flags : flags & ~Gemm.ACCUMULATE;
        gemm(name, panels, b, b, to, whole ? yPerRepeat : 0, lanes, js, k, first);
        if (!whole) {
            int trimAt = at(to);
            stage.moving(y, yPerRepeat);
            stage.call("trim", Gemm::wTrim, trimAt, array(to), array(y), js, columns, lanes, flags);
        }
    }

    /** Deep products, as the head's, are added up of parts, so that a part of a panel stays in a core's cache. */
    private void gemm(
            String name,
            Tensor panels,
            Tensor b,
            Tensor bias,
            Tensor y,
            long yPerRepeat,
            int lanes,
            int js,
            int k,
            int flags) {
        int parts = (k + DEPTH - 1) / DEPTH;
        int bStep = (flags & Gemm.B_PACKED) != 0 ? Gemm.LANES : 1;
        for (int part = 0; part < parts; part++) {
            int from = (int) ((long) k * part / parts);
            int to = (int) ((long) k * (part + 1) / parts);
            int at = at(panels.skip((long) Gemm.LANES * from), b.skip((long) bStep * from), bias);
            stage.moving(y, yPerRepeat);
            stage.call(
                    name,
                    Gemm::wGemm,
                    new int[] {at, lanes, to - from, js, k},
                    array(panels),
                    array(b),
                    array(bias),
                    array(y),
                    part == 0 ? flags : (flags & ~Gemm.BIAS) | Gemm.ACCUMULATE);
            stage.grid(lanes / Gemm.LANES, upTo(Math.ceilDiv(js, 8), Gemm.BLOCKS), 1, Gemm.BLOCKS);
        }
    }

    private static int upTo(int length, int multiple) {
        return Math.ceilDiv(length, multiple) * multiple;
    }

    private static int padded(int lanes) {
        return upTo(lanes, Gemm.LANES);
    }

    private Tensor pack(String name, Tensor a, long perRepeat, int lanes, int k, int laneStride, int kStride) {
        Tensor panels = engine.scratch(name, (long) padded(lanes) * k);
        int at = moving(a, perRepeat);
        stage.at(panels);
        stage.call("pack", Gemm::wPack, new int[] {at, lanes, k, laneStride, kStride}, array(a), array(panels));
        stage.grid(padded(lanes) / Gemm.LANES, upTo(k, Gemm.PACKED_ROWS), 1, Gemm.PACKED_ROWS);
        return panels;
    }

    // ---------------------------------------------------------------------------------------------- attention

    @Override
    public void rope(Tensor qkv, Tensor cos, Tensor sin, AttentionShape shape) {
        rope("rope", qkv, cos, sin, shape, 1);
    }

    @Override
    public void ropeBackward(Tensor dqkv, Tensor cos, Tensor sin, AttentionShape shape) {
        rope("ropeBackward", dqkv, cos, sin, shape, -1);
    }

    private void rope(String name, Tensor qkv, Tensor cos, Tensor sin, AttentionShape shape, float direction) {
        stage.call(
                name,
                Rope::wRope,
                at(cos, sin, qkv),
                stage.documents(shape.rows()),
                array(cos),
                array(sin),
                array(qkv),
                shape.rows(),
                shape.sequence(),
                shape.heads() + shape.kvHeads(),
                shape.headDim(),
                shape.qkvWidth(),
                direction);
        over(shape.rows(), (shape.heads() + shape.kvHeads()) * shape.headDim() / 2);
    }

    @Override
    public void attention(Tensor out, Tensor lse, Tensor qkv, AttentionShape shape, Dropout dropout) {
        int lses = size(shape.rows(), shape.heads());
        Tensor apartLse = apart(lse, lses, out);
        int at = at(qkv, apartLse, out);
        stage.constant(dropout.site());
        stage.attention(shape);
        stage.call(
                "attention",
                Attention::wAttention,
                at,
                stage.documents(shape.rows()),
                array(qkv),
                array(apartLse),
                array(out),
                shape.batch() * shape.heads(),
                shape.sequence(),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim(),
                dropout.threshold(),
                dropout.keptScale());
        tiles(shape.batch() * shape.heads(), shape.sequence());
        copy(apartLse, lse, lses);
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
        attentionDelta(delta, dout, out, shape);
        int at = at(qkv, dout, lse, delta, dqkv);
        stage.constant(dropout.site());
        stage.attention(shape);
        stage.call(
                "attentionQueryBackward",
                Attention::wAttentionQueryBackward,
                at,
                stage.documents(shape.rows()),
                array(qkv),
                array(dout),
                array(lse),
                array(delta),
                array(dqkv),
                shape.batch() * shape.heads(),
                shape.sequence(),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim(),
                dropout.threshold(),
                dropout.keptScale());
        tiles(shape.batch() * shape.heads(), shape.sequence());
        stage.call(
                "attentionKeyValueBackward",
                Attention::wAttentionKeyValueBackward,
                at,
                stage.documents(shape.rows()),
                array(qkv),
                array(dout),
                array(lse),
                array(delta),
                array(dqkv),
                shape.batch() * shape.kvHeads(),
                shape.sequence(),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim(),
                dropout.threshold(),
                dropout.keptScale());
        tiles(shape.batch() * shape.kvHeads(), shape.sequence());
    }

    /** A work item for sixteen queries or keys of each head: long ones, so that each is a group. */
    private void tiles(int heads, int length) {
        stage.grid(heads, (length + Attention.LANES - 1) / Attention.LANES, 1, 1);
    }

    final void attentionDelta(Tensor delta, Tensor dout, Tensor out, AttentionShape shape) {
        stage.call(
                "attentionDelta",
                Attention::wAttentionDelta,
                at(dout, out, delta),
                array(dout),
                array(out),
                array(delta),
                shape.batch() * shape.heads(),
                shape.sequence(),
                shape.heads(),
                shape.headDim());
        over(shape.batch() * shape.heads(), shape.sequence());
    }

    @Override
    public void cachedAttention(Tensor out, Tensor cache, Tensor qkv, AttentionShape shape, int capacity) {
        stage.call(
                "storeKeysAndValues",
                Attention::wStoreKeysAndValues,
                at(qkv, cache),
                array(qkv),
                array(cache),
                shape.rows(),
                shape.keyOffset(),
                2 * shape.kvHeads() * shape.headDim());
        over(shape.rows(), 2 * shape.kvHeads() * shape.headDim());
        attend(out, cache, qkv, shape, capacity);
    }

    /** The rows' attention to the cache. */
    void attend(Tensor out, Tensor cache, Tensor qkv, AttentionShape shape, int capacity) {
        int at = at(qkv, cache, out);
        stage.attention(shape);
        stage.call(
                "cachedAttention",
                Attention::wCachedAttention,
                at,
                array(qkv),
                array(cache),
                array(out),
                shape.rows(),
                shape.heads(),
                shape.kvHeads(),
                shape.headDim());
        tiles(shape.kvHeads(), size(shape.rows(), shape.heads() / shape.kvHeads()));
    }

    // ---------------------------------------------------------------------------------------------- elementwise

    @Override
    public void activation(Tensor out, Tensor x, Activation f, int rows, int width) {
        stage.call(
                "activation",
                Activations::wActivation,
                at(x, out),
                array(x),
                array(out),
                size(rows, width),
                share(),
                Activations.form(f),
                Activations.linear(f),
                (float) f.cubic());
        over(shares(size(rows, width)));
    }

    @Override
    public void activationBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width) {
        stage.call(
                "activationBackward",
                Activations::wActivationBackward,
                at(dout, x, dx),
                array(dout),
                array(x),
                array(dx),
                size(rows, width),
                share(),
                Activations.form(f),
                Activations.linear(f),
                (float) f.cubic());
        over(shares(size(rows, width)));
    }

    @Override
    public void gated(Tensor out, Tensor x, Activation f, int rows, int width) {
        stage.call(
                "gated",
                Activations::wGated,
                at(x, out),
                array(x),
                array(out),
                rows,
                width,
                Activations.form(f),
                Activations.linear(f),
                (float) f.cubic());
        over(rows, width);
    }

    @Override
    public void gatedBackward(Tensor dx, Tensor dout, Tensor x, Activation f, int rows, int width) {
        stage.call(
                "gatedBackward",
                Activations::wGatedBackward,
                at(dout, x, dx),
                array(dout),
                array(x),
                array(dx),
                rows,
                width,
                Activations.form(f),
                Activations.linear(f),
                (float) f.cubic());
        over(rows, width);
    }

    @Override
    public void add(Tensor out, Tensor a, Tensor b, int rows, int width) {
        stage.call("add", Elementwise::wAdd, at(a, b, out), array(a), array(b), array(out), size(rows, width), share());
        over(shares(size(rows, width)));
    }

    @Override
    public void dropout(Tensor out, Tensor x, int rows, int width, Dropout dropout) {
        stage.call(
                "dropout",
                Elementwise::wDropout,
                at(x, out),
                array(x),
                array(out),
                size(rows, width),
                dropout.site(),
                dropout.threshold(),
                dropout.keptScale());
        over(size(rows, width) / 4 + 1);
    }

    @Override
    public void addColumns(Columns out, Columns x, int rows, int width, float factor) {
        stage.call(
                "addColumns",
                ColumnLoops::wAddColumns,
                at(place(x), place(out)),
                array(x.matrix()),
                array(out.matrix()),
                rows,
                width,
                x.rowWidth(),
                out.rowWidth(),
                factor);
        over(rows, width);
    }

    @Override
    public void copyColumns(Columns out, Columns x, int rows, int width, float factor) {
        stage.call(
                "copyColumns",
                ColumnLoops::wCopyColumns,
                at(place(x), place(out)),
                array(x.matrix()),
                array(out.matrix()),
                rows,
                width,
                x.rowWidth(),
                out.rowWidth(),
                factor);
        over(rows, width);
    }

    private static Tensor place(Columns columns) {
        return columns.matrix().skip(columns.first());
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
        Tensor squares = engine.scratch("row squares", rows);
        rowSquares(squares, weight, rows, in);
        stage.call(
                "rowScales",
                ColumnLoops::wRowScales,
                at(magnitudes, squares, b, wa, baa, out),
                array(magnitudes),
                array(squares),
                array(b),
                array(wa),
                array(baa),
                array(out),
                rows,
                1,
                rank,
                scale);
        over(rows);
    }

    @Override
    public void scaleColumns(Columns out, Tensor scales, Tensor bias, int rows, int width) {
        Tensor about = bias == null ? scales : bias;
        stage.call(
                "scaleColumns",
                ColumnLoops::wScaleColumns,
                at(scales, about, place(out)),
                array(scales),
                array(about),
                array(out.matrix()),
                rows,
                width,
                out.rowWidth(),
                bias == null ? 0 : 1);
        over(rows, width);
    }

    @Override
    public void addColumnProducts(
            Tensor sums, Columns a, Columns b, Tensor scales, Tensor magnitudes, int rows, int width) {
        Tensor products = engine.scratch("column products", size(rows, width));
        stage.call(
                "addColumnProducts",
                ColumnLoops::wColumnProducts,
                at(place(a), place(b), scales, magnitudes, products),
                array(a.matrix()),
                array(b.matrix()),
                array(scales),
                array(magnitudes),
                array(products),
                rows,
                width,
                a.rowWidth(),
                b.rowWidth());
        over(rows, width);
        biasBackward(sums, products, rows, width);
    }

    @Override
    public void addNoise(Tensor x, int rows, int width, float magnitude) {
        stage.call("addNoise", Elementwise::wAddNoise, at(x), array(x), size(rows, width), Philox.NOISE, magnitude);
        over(size(rows, width) / 4 + 1);
    }

    @Override
    public void zero(Tensor x, long length) {
        stage.call("zero", Elementwise::wZero, at(x), array(x), Math.toIntExact(length), share());
        over(shares(Math.toIntExact(length)));
    }

    // ---------------------------------------------------------------------------------------------- head

    /** A stage of kernel calls for some rows, or for as many as a repeated stage takes at once. */
    @FunctionalInterface
    private interface Chunk {
        void record(int rows, int firstRow);
    }

    long logitsBytes() {
        return LOGITS_BYTES;
    }

    /** Works through rows in chunks whose logits fit the bound; what is left over becomes a stage of its own. */
    private void inChunks(int rows, int vocabulary, Chunk chunk) {
        int most = Math.clamp(logitsBytes() / Float.BYTES / vocabulary, 1, rows);
        // All but the last of one size, which is then nearly as large: each reads all weights.
        int size = Math.ceilDiv(rows, Math.ceilDiv(rows, most));
        int whole = rows / size;
        begin(new Stage(whole, size, 0));
        chunk.record(size, 0);
        int rest = rows - whole * size;
        if (rest > 0) {
            begin(new Stage(1, rest, whole * size));
            chunk.record(rest, whole * size);
        }
        begin(new Stage());
    }

    @Override
    public void headLoss(Tensor nll, Tensor x, Tensor weight, int rows, int width, int vocabulary) {
        inChunks(rows, vocabulary, (count, first) -> {
            Tensor logits = logits(x.skip((long) first * width), weight, count, width, vocabulary);
            nll(nll.skip(first), logits, rows, count, vocabulary);
        });
    }

    @Override
    public void headLossBackward(
            Tensor nll, Tensor dx, Tensor dweight, Tensor x, Tensor weight, int rows, int width, int vocabulary) {
        inChunks(rows, vocabulary, (count, first) -> {
            Tensor xs = x.skip((long) first * width);
            long perRepeat = (long) count * width;
            Tensor logits = logits(xs, weight, count, width, vocabulary);
            nllBackward(nll.skip(first), logits, rows, count, vocabulary);
            linearBackwardInput(dx.skip((long) first * width), perRepeat, logits, weight, count, width, vocabulary);
            if (dweight != null) {
                linearBackwardWeight(dweight, logits, xs, perRepeat, count, width, vocabulary);
            }
        });
    }

    @Override
    public void headObjectiveBackward(
            Tensor losses,
            Tensor dx,
            Tensor dweight,
            Tensor x,
            Tensor weight,
            Objective.Teacher teacher,
            Objective objective,
            int rows,
            int width,
            int vocabulary) {
        inChunks(rows, vocabulary, (count, first) -> {
            Tensor xs = x.skip((long) first * width);
            long perRepeat = (long) count * width;
            Tensor logits = logits(xs, weight, count, width, vocabulary);
            Tensor taught = teacher == null ? logits : engine.scratch("teacher logits", (long) count * vocabulary);
            if (teacher instanceof Objective.Live live) {
                int teacherWidth = live.width();
                Tensor seen = live.x().skip((long) first * teacherWidth);
                linear(taught, seen, (long) count * teacherWidth, live.weight(), null, count, teacherWidth, vocabulary);
            } else if (teacher instanceof Objective.Kept kept) {
                keptTeacher(taught, logits, kept.top(), objective.temperature(), count, vocabulary);
            }
            objective(losses.skip(first), taught, logits, objective, rows, count, vocabulary);
            linearBackwardInput(dx.skip((long) first * width), perRepeat, logits, weight, count, width, vocabulary);
            if (dweight != null) {
                linearBackwardWeight(dweight, logits, xs, perRepeat, count, width, vocabulary);
            }
        });
    }

    void keptTeacher(Tensor taught, Tensor logits, int top, float temperature, int count, int vocabulary) {
        stage.call(
                "keptTeacher",
                Head::wKeptTeacher,
                at(logits, taught),
                stage.taughtTokens(count * top),
                stage.taughtProbabilities(count * (top + 1)),
                array(logits),
                array(taught),
                count,
                vocabulary,
                top,
                temperature);
    }

    void objective(
            Tensor losses, Tensor taught, Tensor logits, Objective objective, int rows, int count, int vocabulary) {
        int at = moving(losses, count);
        at(taught, logits);
        stage.call(
                "headObjectiveBackward",
                Head::wObjective,
                at,
                stage.targets(rows),
                stage.floats(),
                array(taught),
                array(losses),
                array(logits),
                count,
                rows,
                vocabulary,
                objective.labelSmoothing(),
                objective.zLoss(),
                objective.distillation(),
                objective.temperature());
    }

    /** For {@code count} of the {@code rows} that have targets. */
    void nll(Tensor nll, Tensor logits, int rows, int count, int vocabulary) {
        int at = at(logits);
        stage.moving(nll, count);
        stage.call("headLoss", Head::wNll, at, stage.targets(rows), array(logits), array(nll), count, vocabulary);
    }

    void nllBackward(Tensor nll, Tensor logits, int rows, int count, int vocabulary) {
        int at = moving(nll, count);
        stage.at(logits);
        stage.call(
                "headLossBackward",
                Head::wNllBackward,
                at,
                stage.targets(rows),
                stage.floats(),
                array(nll),
                array(logits),
                count,
                vocabulary);
    }

    private Tensor logits(Tensor x, Tensor weight, int rows, int width, int vocabulary) {
        Tensor logits = engine.scratch("logits", (long) rows * vocabulary);
        linear(logits, x, (long) rows * width, weight, null, rows, width, vocabulary);
        return logits;
    }

    // ---------------------------------------------------------------------------------------------- optimizer

    @Override
    public final void sumOfSquares(Tensor partials, Tensor x, long length) {
        sumOfSquares(partials, List.of(new Range(x, 0, length)));
    }

    /**
     * Floats of a range that goes on in other arrays.
     *
     * @param first of them, from the whole range's start
     */
    record Range(Tensor x, long first, long end) {}

    /** The same for a range in several arrays; stretches of it are summed as if all lay in one. */
    final void sumOfSquares(Tensor partials, List<Range> ranges) {
        long length = ranges.getLast().end();
        int stretches = stretches(length);
        int stretch = Math.toIntExact(Math.ceilDiv(length, stretches));
        Tensor sums = stretches == PARTIALS ? partials : engine.scratch("sums", stretches);
        int done = 0;
        while (done < stretches) {
            long first = Math.min(length, (long) done * stretch);
            Range range =
                    ranges.stream().filter(r -> first < r.end()).findFirst().orElse(ranges.getLast());
            int whole = range.end() == length ? stretches : (int) (range.end() / stretch);
            if (whole > done) {
                int n = Math.toIntExact(Math.min(range.end(), (long) whole * stretch) - first);
                squares(sums.skip(done), range.x().skip(first - range.first()), n, whole - done, stretch);
                done = whole;
            } else {
                int n = Math.toIntExact(Math.min(stretch, length - first));
                squares(sums.skip(done), gathered(ranges, first, n), n, 1, stretch);
                done++;
            }
        }
        addStretches(partials, sums, stretches);
    }

    /** Floats that lie across several arrays, in one. */
    private Tensor gathered(List<Range> ranges, long first, int n) {
        Tensor gathered = engine.scratch("what lies across arrays", n);
        for (Range range : ranges) {
            long from = Math.max(first, range.first());
            long end = Math.min(first + n, range.end());
            if (from < end) {
                copy(range.x().skip(from - range.first()), gathered.skip(from - first), end - from);
            }
        }
        return gathered;
    }

    /** How many stretches of a range are summed each by itself: a multiple of {@link #PARTIALS}. */
    int stretches(long length) {
        return PARTIALS;
    }

    /** sums[i] = that of the squares of stretch i of x[n]. */
    void squares(Tensor sums, Tensor x, int n, int stretches, int stretch) {
        stage.call("sumOfSquares", Optimizer::wSumOfSquares, at(x, sums), array(x), array(sums), n, stretches, stretch);
    }

    void addStretches(Tensor partials, Tensor sums, int stretches) {}

    @Override
    public void adamw(Tensor parameter, Tensor gradient, Tensor m, Tensor v, long length, AdamW settings) {
        Tensor apartGradient = apart(gradient, length, parameter);
        Tensor apartM = apart(m, length, parameter, apartGradient);
        Tensor apartV = apart(v, length, parameter, apartGradient, apartM);
        copy(gradient, apartGradient, length);
        copy(m, apartM, length);
        copy(v, apartV, length);
        stage.call(
                "adamw",
                Optimizer::wAdamW,
                at(parameter, apartGradient, apartM, apartV),
                stage.floats(),
                array(parameter),
                array(apartGradient),
                array(apartM),
                array(apartV),
                Math.toIntExact(length),
                share(),
                settings.beta1(),
                settings.beta2(),
                settings.eps(),
                settings.weightDecay());
        over(shares(Math.toIntExact(length)));
        copy(apartGradient, gradient, length);
        copy(apartM, m, length);
        copy(apartV, v, length);
    }

    @Override
    public void lion(Tensor parameter, Tensor gradient, Tensor m, long length, Lion settings) {
        int n = Math.toIntExact(length);
        Tensor apartGradient = apart(gradient, length, parameter);
        Tensor apartM = apart(m, length, parameter, apartGradient);
        copy(gradient, apartGradient, length);
        copy(m, apartM, length);
        stage.call(
                "lion",
                Directions::wLion,
                at(parameter, apartGradient, apartM),
                stage.floats(),
                array(parameter),
                array(apartGradient),
                array(apartM),
                n,
                share(),
                settings.beta1(),
                settings.beta2(),
                settings.weightDecay());
        over(shares(n));
        copy(apartGradient, gradient, length);
        copy(apartM, m, length);
    }

    @Override
    public void momentum(Tensor gradient, Tensor m, long length, float momentum) {
        int n = Math.toIntExact(length);
        Tensor apartM = apart(m, length, gradient);
        copy(m, apartM, length);
        stage.call(
                "momentum",
                Directions::wMomentum,
                at(gradient, apartM),
                stage.floats(),
                array(gradient),
                array(apartM),
                n,
                share(),
                momentum);
        over(shares(n));
        copy(apartM, m, length);
    }

    @Override
    public void factoredMoments(Tensor r, Tensor c, Tensor gradient, int rows, int columns) {
        Tensor sums = engine.scratch("sums of squares", Math.max(rows, columns));
        rowSquares(sums, gradient, rows, columns);
        moments(r, sums, rows, columns);
        columnSquares(sums, gradient, rows, columns);
        moments(c, sums, columns, rows);
    }

    void rowSquares(Tensor sums, Tensor x, int rows, int columns) {
        stage.call("rowSquares", Factored::wRowSquares, at(x, sums), array(x), array(sums), rows, columns);
    }

    void columnSquares(Tensor sums, Tensor x, int rows, int columns) {
        stage.call("columnSquares", Factored::wColumnSquares, at(x, sums), array(x), array(sums), rows, columns);
    }

    private void moments(Tensor v, Tensor sums, int length, int count) {
        stage.call(
                "factoredMoments",
                Factored::wMoments,
                at(sums, v),
                stage.floats(),
                array(sums),
                array(v),
                length,
                share(),
                count);
        over(shares(length));
    }

    /** The mean of the shorter one of r and c: that of all squares. */
    @Override
    public void factoredDirection(Tensor gradient, Tensor r, Tensor c, int rows, int columns) {
        int n = size(rows, columns);
        int least = Math.min(rows, columns);
        Tensor shorter = rows <= columns ? r : c;
        Tensor mean = engine.scratch("mean", 1);
        mean(mean, shorter, least);
        stage.call(
                "factoredDirection",
                Factored::wFactoredDirection,
                at(r, c, mean, gradient),
                stage.floats(),
                array(r),
                array(c),
                array(mean),
                array(gradient),
                n,
                share(),
                columns);
        over(shares(n));
    }

    void mean(Tensor mean, Tensor x, int n) {
        stage.call("mean", Factored::wMean, at(x, mean), array(x), array(mean), n, n);
        over(1);
    }

    @Override
    public void scaleByRoots(Tensor x, Tensor numerators, Tensor denominators, int rows, int columns, boolean ofRows) {
        int n = size(rows, columns);
        stage.call(
                "scaleByRoots",
                Directions::wScaleByRoots,
                at(numerators, denominators, x),
                array(numerators),
                array(denominators),
                array(x),
                n,
                share(),
                columns,
                ofRows ? 1 : 0);
        over(shares(n));
    }

    @Override
    public void unfactoredDirection(Tensor gradient, Tensor v, long length) {
        int n = Math.toIntExact(length);
        Tensor apartV = apart(v, length, gradient);
        copy(v, apartV, length);
        stage.call(
                "unfactoredDirection",
                Factored::wUnfactoredDirection,
                at(gradient, apartV),
                stage.floats(),
                array(gradient),
                array(apartV),
                n,
                share());
        over(shares(n));
        copy(apartV, v, length);
    }

    @Override
    public void divideByNorm(Tensor x, Tensor partials, long length, float least, float scale) {
        int n = Math.toIntExact(length);
        Tensor factor = engine.scratch("factor", 1);
        factorOfNorm(factor, partials, least, scale);
        stage.call("divideByNorm", Directions::wScale, at(factor, x), array(factor), array(x), n, share());
        over(shares(n));
    }

    void factorOfNorm(Tensor factor, Tensor partials, float least, float scale) {
        stage.call(
                "factorOfNorm",
                Directions::wFactorOfNorm,
                at(partials, factor),
                array(partials),
                array(factor),
                PARTIALS,
                PARTIALS,
                least,
                scale);
        over(1);
    }

    @Override
    public void descend(Tensor parameter, Tensor direction, long length, float factor, float weightDecay) {
        int n = Math.toIntExact(length);
        stage.call(
                "descend",
                Directions::wDescend,
                at(direction, parameter),
                stage.floats(),
                array(direction),
                array(parameter),
                n,
                share(),
                factor,
                weightDecay);
        over(shares(n));
    }

    @Override
    public void pull(Tensor gradient, Tensor importance, Tensor parameter, Tensor start, long length, float strength) {
        int n = Math.toIntExact(length);
        stage.call(
                "pull",
                Directions::wPull,
                at(importance, parameter, start, gradient),
                array(importance),
                array(parameter),
                array(start),
                array(gradient),
                n,
                share(),
                strength);
        over(shares(n));
    }

    @Override
    public void combine(Tensor out, Tensor x, Tensor y, long length, float a, float b) {
        int n = Math.toIntExact(length);
        stage.call("combine", Directions::wCombine, at(x, y, out), array(x), array(y), array(out), n, share(), a, b);
        over(shares(n));
    }
}
