package dev.whirlwind.tornado;

import dev.whirlwind.tornado.kernels.AttentionCached;
import dev.whirlwind.tornado.kernels.AttentionTiled;
import dev.whirlwind.tornado.kernels.Gemm;
import dev.whirlwind.tornado.kernels.GemmBlocked;
import dev.whirlwind.tornado.kernels.GemmTensorCores;
import dev.whirlwind.tornado.kernels.Sums;
import java.util.List;

/**
 * How often a kernel's loops go round, from its sizes: what its cost grows with. What a round costs is not written down
 * here but counted by the simulator.
 *
 * @param all rounds of all items together, for one or two loops
 * @param longest those of the item that has most
 * @param waits how often the longest item waits for memory, one load after the other
 * @param bytes of global memory that must be read and written at least once, or 0 where everything that is read or
 *     written is so once
 */
record Rounds(List<Double> all, List<Double> longest, double waits, double bytes) {
    /** Every item does the same, and goes round no loop whose length depends on a size. */
    private static Rounds none(double waits) {
        return new Rounds(List.of(), List.of(), waits, 0);
    }

    private static Rounds one(double all, double longest, double waits, double bytes) {
        return new Rounds(List.of(all), List.of(longest), waits, bytes);
    }

    static Rounds of(Launch l) {
        return switch (l.kernel()) {
            case "wEmbed", "wEmbedTokens" -> none(3);
            case "wRope", "wStoreKeysAndValues", "wAdd", "wCopy", "wZero", "wDropout", "wAddNoise" -> none(2);
            case "wNarrow", "wWiden", "wNarrowBf16", "wWidenBf16" -> none(2);
            case "wLion", "wMomentum", "wScale", "wDescend", "wCombine", "wPull" -> none(2);
            case "wMoments", "wFactoredDirection", "wUnfactoredDirection", "wScaleByRoots" -> none(2);
            case "wActivation", "wActivationBackward", "wGated", "wGatedBackward", "wAdamW" -> none(2);
            case "wEmbedPositionsBackward" -> one(l.items() * (double) l.size(0), l.size(0), 1 + l.size(0), 0);
            // Tokens are all different here, or as different as they can be.
            case "wTokenRows" -> rows(l.size(0), l.size(1), 256, 2, 3, 0);
            case "wLayerNormRows" -> rows(l.groups(), l.size(0), 256, 3, 2, 8);
            case "wLayerNormBackwardRows" -> rows(l.groups(), l.size(0), 256, 2, 2, 16);
            case "wRmsNormRows" -> rows(l.groups(), l.size(0), 256, 2, 2, 8);
            case "wRmsNormBackwardRows" -> rows(l.groups(), l.size(0), 256, 2, 2, 16);
            case "wHeadNormRows" -> rows(l.groups(), l.size(2), 64, 2, 2, 8);
            case "wHeadNormBackwardRows" -> rows(l.groups(), l.size(2), 64, 2, 3, 12);
            case "wNllRows" -> rows(l.groups(), l.size(0), 256, 1, 4, 4);
            case "wNllBackwardRows" -> rows(l.groups(), l.size(0), 256, 2, 5, 12);
            case "wObjectiveRows" -> rows(l.groups(), l.size(1), 256, 3, 5, 20);
            case "wRowSquaresOfGroup" -> rows(l.groups(), l.size(0), 256, 1, 2, 4);
            case "wSumOfGroup" -> rows(l.groups(), l.size(0), 256, 1, 2, 4);
            case "wColumnSums" -> {
                double longest = Math.ceilDiv(l.size(1), Sums.ROWS);
                int reads = l.size(6) % 4 == Sums.PLAIN ? 1 : 2;
                double elements = l.size(0) * (double) l.size(2);
                yield one(elements, longest, 2 + Math.ceil(longest / 4), 4 * elements * reads);
            }
            case "wAddParts" -> one(l.size(0) * (double) l.size(1), l.size(1), 1 + Math.ceil(l.size(1) / 4.0), 0);
            case "wAddColumns", "wCopyColumns", "wScaleColumns", "wColumnProducts" -> none(2);
            case "wRowScales" -> one(l.items() * (double) l.size(2), l.size(2), 3 + l.size(2), 0);
            case "wKeptTeacherRows" -> rows(l.groups(), l.size(0), 256, 4, 5, 20);
            case "wSquares" -> {
                double longest = Math.ceilDiv(l.size(1), 256);
                yield one(l.size(0), longest, 1 + longest / 4, 4.0 * l.size(0));
            }
            case "wGemv" -> {
                int rows = l.grid().y();
                double elements = (double) rows * l.size(0) * l.size(1);
                double longest = l.size(1) / 32.0;
                yield one(elements, longest, 1 + longest / 4, 4.0 * l.size(0) * l.size(1));
            }
            case "wGemmBlocked" ->
                product(
                        l,
                        GemmBlocked.TILE,
                        GemmBlocked.DEPTH,
                        operandBytes(l, GemmBlocked.A_HALF),
                        operandBytes(l, GemmBlocked.B_HALF));
            case "wGemmTensorCores" -> product(l, GemmTensorCores.TILE, GemmTensorCores.DEPTH, 2, 2);
            case "wAttentionDelta" ->
                one(l.items() * (double) l.size(3), l.size(3), 1 + l.size(3) / 4.0, 8.0 * l.items() * l.size(3));
            case "wAttentionTiled", "wAttentionQueryBackwardTiled", "wAttentionKeyValueBackwardTiled" -> attention(l);
            case "wCachedAttentionRows" -> {
                int rows = l.grid().x() / AttentionCached.ITEMS;
                double keys = l.position() + (rows + 1) / 2.0;
                int parts = l.size(4);
                double chunks = Math.ceilDiv(Math.ceilDiv(l.position() + rows, parts), AttentionCached.ITEMS);
                double depth = l.size(2);
                yield new Rounds(
                        List.of(l.items() * chunks, l.groups() * keys / parts * depth),
                        List.of(chunks, chunks * depth),
                        chunks * (depth / 4 + depth),
                        8 * l.groups() * keys / parts * depth);
            }
            case "wCachedAttentionParts", "wKeyValueParts" ->
                one(l.items() * (double) l.size(2), l.size(2), 1 + l.size(2), 0);
            default -> throw new AssertionError("the rounds of kernel " + l.kernel() + " are not known: add them");
        };
    }

    /** Each of so many groups goes over a row of its own, some times, and reads and writes so many bytes an element. */
    private static Rounds rows(long rows, int width, int items, int times, int waits, int bytes) {
        double longest = Math.ceilDiv(width, items);
        return one((double) rows * width, longest, waits + times * longest, (double) bytes * rows * width);
    }

    private static int operandBytes(Launch l, int half) {
        return (l.size(4) & half) == 0 ? 4 : 2;
    }

    private static Rounds product(Launch l, int tile, int depth, int bytesA, int bytesB) {
        double rows = l.size(0);
        double columns = l.size(1);
        int k = l.size(2);
        int part = l.size(3);
        int parts = Math.ceilDiv(k, part);
        double tiles = (double) Math.ceilDiv(l.size(0), tile) * Math.ceilDiv(l.size(1), tile);
        double slices = 0;
        for (int i = 0; i < parts; i++) {
            slices += Math.ceilDiv(Math.min(part, k - i * part), depth);
        }
        double longest = Math.ceilDiv(Math.min(part, k), depth);
        int accumulate = (l.size(4) & Gemm.ACCUMULATE) == 0 ? 1 : 2;
        double bytes = (bytesA * rows + bytesB * columns) * k + 4 * rows * columns * parts * accumulate;
        // The next slice is on its way while one is computed.
        return one(tiles * slices * l.groupItems(), longest, 4, bytes);
    }

    /** Of causal attention without a window, the most that there can be. */
    private static Rounds attention(Launch l) {
        int tiles = Math.ceilDiv(l.size(0), AttentionTiled.TILE);
        int heads = l.size(1);
        int kvHeads = l.size(2);
        int headDim = l.size(3);
        int slices = Math.ceilDiv(headDim, AttentionTiled.SIDE);
        boolean keys = l.kernel().contains("KeyValue");
        // Of documents, where they start and where they end.
        int batch = l.arrays().getFirst() / 2 / l.size(0);
        int parts = keys ? Math.toIntExact(l.grid().y() / AttentionTiled.SIDE / kvHeads / batch) : 1;
        double visits = batch * heads * tiles * (tiles + 1) / 2 * l.groupItems();
        double longest = keys ? tiles * Math.ceilDiv(heads / kvHeads, parts) : tiles;
        double width = batch * l.size(0) * headDim;
        double bytes = switch (l.kernel()) {
            case "wAttentionTiled" -> 4 * width * (2 * heads + 2 * kvHeads);
            case "wAttentionQueryBackwardTiled" -> 4 * width * (3 * heads + 2 * kvHeads);
            default -> 4 * width * (2 * heads + 2 * kvHeads * (1 + parts));
        };
        return new Rounds(
                List.of(visits, visits * slices),
                List.of(longest, longest * slices),
                longest * (keys ? slices + 8 : slices + 4),
                bytes);
    }
}
