package dev.whirlwind.model;

import dev.whirlwind.model.Ops.Columns;
import java.util.List;

/**
 * The passes of linear layers with low-rank adapters: y = W x + b + scale B A x (arXiv 2106.09685); with magnitudes m (DoRA,
 * arXiv 2402.09353) y = s (W x + scale B A x) + b, s = m / the norms of the rows of W + scale B A. What A makes of x is
 * computed again for the backward pass, which costs less than to keep it.
 */
final class Adapters {
    private final Parameters weights;
    private final int rows;
    private final float dropout;

    /** Scratch: x after dropout, and what comes back through A, [rows, in]. */
    private final Tensor dropped;

    /** A x of all parts, and its gradient, [rows, rank]. */
    private final Tensor low;

    private final Tensor dlow;

    /** The same of one part. */
    private final Tensor partLow;

    /** Of one part or the whole layer, [rows, out]. */
    private final Tensor high;

    /** With magnitudes: s, [out]; the gradient before it and the output before it, [rows, out]; W A^T, B A A^T and A A^T. */
    private final Tensor scales;

    private final Tensor scaled;
    private final Tensor again;
    private final Tensor wa;
    private final Tensor baa;
    private final Tensor aa;

    private Adapters(Engine engine, Parameters weights, int rows, boolean training) {
        this.weights = weights;
        this.rows = rows;
        List<LowRank> all = weights.layout().lowRanks();
        dropout = training ? weights.layout().adapter().dropout() : 0;
        int in = all.stream().mapToInt(LowRank::inWidth).max().orElseThrow();
        int out = all.stream().mapToInt(LowRank::outWidth).max().orElseThrow();
        int rank = all.stream().mapToInt(LowRank::rank).max().orElseThrow();
        dropped = training ? scratch(engine, "dropped", rows, in) : null;
        low = scratch(engine, "low", rows, rank);
        dlow = training ? scratch(engine, "d.low", rows, rank) : null;
        partLow = scratch(engine, "part", rows, rank);
        high = scratch(engine, "high", rows, out);
        boolean magnitudes = all.stream().anyMatch(LowRank::hasMagnitudes);
        scales = magnitudes ? scratch(engine, "scales", 1, out) : null;
        scaled = magnitudes && training ? scratch(engine, "scaled", rows, out) : null;
        again = magnitudes && training ? scratch(engine, "again", rows, out) : null;
        wa = magnitudes ? scratch(engine, "wa", out, rank) : null;
        baa = magnitudes ? scratch(engine, "baa", out, rank) : null;
        aa = magnitudes ? scratch(engine, "aa", rank, rank) : null;
    }

    /** Null for a model that has none. */
    static Adapters of(Engine engine, Parameters weights, int rows, boolean training) {
        return weights.layout().lowRanks().isEmpty() ? null : new Adapters(engine, weights, rows, training);
    }

    private static Tensor scratch(Engine engine, String name, int rows, int width) {
        return new Tensor(engine.allocate("adapters." + name, (long) rows * width), 0, 0);
    }

    private Dropout dropout(LowRank r, boolean training) {
        // The mask differs from layer to layer by itself.
        int kind = switch (r.kind()) {
            case "attention.qkv.weight" -> 0;
            case "attention.out.weight" -> 1;
            case "mlp.up.weight" -> 2;
            default -> 3;
        };
        return training ? new Dropout(dropout, Dropout.ADAPTER + kind) : Dropout.NONE;
    }

    /** out = the layer with its adapters. */
    void forward(Ops ops, LowRank r, Tensor out, Tensor x, Tensor weight, Tensor bias, boolean training) {
        ops.linear(out, x, weight, bias, rows, r.inWidth(), r.outWidth());
        Tensor seen = seen(ops, r, x, training);
        project(ops, r, seen);
        for (int part = 0; part < r.parts().size(); part++) {
            LowRank.Part p = r.parts().get(part);
            int rank = p.lora().rank();
            ops.linear(high, partLow(ops, r, p), weights.ofAdapter(r.b(part)), null, rows, rank, p.rows());
            Columns place = new Columns(out, r.outWidth(), p.firstRow());
            ops.addColumns(
                    place, Columns.of(high, p.rows()), rows, p.rows(), p.lora().scale());
            if (p.lora().magnitudes()) {
                findScales(ops, r, part, weight);
                ops.scaleColumns(place, scales, bias == null ? null : bias.skip(p.firstRow()), rows, p.rows());
            }
        }
    }

    /** What adapters see of a layer's input. */
    private Tensor seen(Ops ops, LowRank r, Tensor x, boolean training) {
        Dropout mask = dropout(r, training);
        if (!mask.active()) {
            return x;
        }
        ops.dropout(dropped, x, rows, r.inWidth(), mask);
        return dropped;
    }

    /** low = A x. */
    private void project(Ops ops, LowRank r, Tensor x) {
        ops.linear(low, x, weights.ofAdapter(r.a()), null, rows, r.inWidth(), r.rank());
    }

    private Tensor partLow(Ops ops, LowRank r, LowRank.Part p) {
        if (r.parts().size() == 1) {
            return low;
        }
        int rank = p.lora().rank();
        ops.copyColumns(Columns.of(partLow, rank), new Columns(low, r.rank(), p.firstRank()), rows, rank, 1);
        return partLow;
    }

    /** scales = those of a part with magnitudes. */
    private void findScales(Ops ops, LowRank r, int part, Tensor weight) {
        LowRank.Part p = r.parts().get(part);
        int rank = p.lora().rank();
        Tensor w = weight.skip((long) p.firstRow() * r.inWidth());
        Tensor a = weights.ofAdapter(r.a()).skip((long) p.firstRank() * r.inWidth());
        Tensor b = weights.ofAdapter(r.b(part));
        ops.linear(wa, w, a, null, p.rows(), r.inWidth(), rank);
        ops.linear(aa, a, a, null, rank, r.inWidth(), rank);
        ops.linear(baa, b, aa, null, p.rows(), rank, rank);
        Tensor magnitudes = weights.ofAdapter(r.magnitudes(part));
        ops.rowScales(
                scales,
                magnitudes,
                w,
                b,
                wa,
                baa,
                p.rows(),
                r.inWidth(),
                rank,
                p.lora().scale());
    }

    /** dx = the gradient of the layer's input; gradients of its parameters and adapters are added to, where there are any. */
    void backward(
            Ops ops,
            LowRank r,
            Parameters d,
            Tensor dx,
            Tensor dweight,
            Tensor dbias,
            Tensor dout,
            Tensor x,
            Tensor weight) {
        Tensor seen = seen(ops, r, x, true);
        project(ops, r, seen);
        Tensor inner = dout;
        if (r.hasMagnitudes()) {
            inner = throughScales(ops, r, d, dout, x, weight);
        }
        if (dbias != null) {
            ops.linearBackwardWeight(null, dbias, dout, x, rows, r.inWidth(), r.outWidth());
        }
        if (dweight != null) {
            ops.linearBackwardWeight(dweight, null, inner, x, rows, r.inWidth(), r.outWidth());
        }
        ops.linearBackwardInput(dx, inner, weight, rows, r.inWidth(), r.outWidth());
        for (int part = 0; part < r.parts().size(); part++) {
            LowRank.Part p = r.parts().get(part);
            int rank = p.lora().rank();
            Columns place = new Columns(inner, r.outWidth(), p.firstRow());
            ops.copyColumns(
                    Columns.of(high, p.rows()), place, rows, p.rows(), p.lora().scale());
            Tensor db = d.ofAdapter(r.b(part));
            if (db != null) {
                ops.linearBackwardWeight(db, null, high, partLow(ops, r, p), rows, rank, p.rows());
            }
            boolean alone = r.parts().size() == 1;
            Tensor dpart = alone ? dlow : partLow;
            ops.linearBackwardInput(dpart, high, weights.ofAdapter(r.b(part)), rows, rank, p.rows());
            if (!alone) {
                Columns ofAll = new Columns(dlow, r.rank(), p.firstRank());
                ops.copyColumns(ofAll, Columns.of(partLow, rank), rows, rank, 1);
            }
        }
        Tensor da = d.ofAdapter(r.a());
        if (da != null) {
            ops.linearBackwardWeight(da, null, dlow, seen, rows, r.inWidth(), r.rank());
        }
        ops.linearBackwardInput(dropped, dlow, weights.ofAdapter(r.a()), rows, r.inWidth(), r.rank());
        Dropout mask = dropout(r, true);
        if (mask.active()) {
            ops.dropout(dropped, dropped, rows, r.inWidth(), mask);
        }
        ops.add(dx, dx, dropped, rows, r.inWidth());
    }

    /** The gradient of the output before its scales, and those of the magnitudes. */
    private Tensor throughScales(Ops ops, LowRank r, Parameters d, Tensor dout, Tensor x, Tensor weight) {
        ops.copyColumns(Columns.of(scaled, r.outWidth()), Columns.of(dout, r.outWidth()), rows, r.outWidth(), 1);
        ops.linear(again, x, weight, null, rows, r.inWidth(), r.outWidth());
        for (int part = 0; part < r.parts().size(); part++) {
            LowRank.Part p = r.parts().get(part);
            if (!p.lora().magnitudes()) {
                continue;
            }
            findScales(ops, r, part, weight);
            Tensor dmagnitudes = d.ofAdapter(r.magnitudes(part));
            if (dmagnitudes != null) {
                int rank = p.lora().rank();
                ops.linear(high, partLow(ops, r, p), weights.ofAdapter(r.b(part)), null, rows, rank, p.rows());
                Columns output = new Columns(again, r.outWidth(), p.firstRow());
                ops.addColumns(
                        output,
                        Columns.of(high, p.rows()),
                        rows,
                        p.rows(),
                        p.lora().scale());
                ops.addColumnProducts(
                        dmagnitudes,
                        new Columns(dout, r.outWidth(), p.firstRow()),
                        output,
                        scales,
                        weights.ofAdapter(r.magnitudes(part)),
                        rows,
                        p.rows());
            }
            ops.scaleColumns(new Columns(scaled, r.outWidth(), p.firstRow()), scales, null, rows, p.rows());
        }
        return scaled;
    }
}
