package dev.whirlwind.cli.cost;

import dev.whirlwind.model.AttentionShape;
import java.util.function.BiConsumer;

/** What the tornado engine's kernels do for an operation: some share theirs, some operations have several. */
public final class KernelCost {
    private KernelCost() {}

    /** Names kernels that run for an operation, and what each does; packing, copies and sums of parts go without. */
    public static void visit(String operation, Object[] args, int layer, BiConsumer<String, OperationCost> visitor) {
        int n = args.length;
        OperationCost whole = OperationCost.of(operation, args, layer);
        switch (operation) {
            case "headLoss" -> {
                visitor.accept("linear", whole);
                visitor.accept("headLoss", floats(logits(args)));
            }
            case "headLossBackward" -> {
                OperationCost third = new OperationCost(whole.flops() / 3, 0);
                visitor.accept("linear", third);
                visitor.accept("linearBackwardInput", third);
                visitor.accept("linearBackwardWeight", third);
                visitor.accept("headLossBackward", floats(2 * logits(args)));
            }
            case "linearBackwardWeight" -> {
                visitor.accept(operation, whole);
                if (args[1] != null) {
                    visitor.accept("biasBackward", floats(area(args, n - 3, n - 1)));
                }
            }
            case "attentionBackward" -> {
                // In products of the size of scores: forward has two; scores, dP and dQ; scores, dP, dV and dK.
                AttentionShape shape = (AttentionShape) args[6];
                double forward = ModelFlops.attention(shape, layer);
                visitor.accept("attentionDelta", floats(2.0 * shape.rows() * shape.outWidth()));
                visitor.accept("attentionQueryBackward", new OperationCost(1.5 * forward, 0));
                visitor.accept("attentionKeyValueBackward", new OperationCost(2 * forward, 0));
            }
            case "layerNormBackward", "rmsNormBackward" -> {
                double x = area(args, n - 2, n - 1);
                visitor.accept(operation, floats(4 * x));
                visitor.accept(operation.replace("Backward", "WeightBackward"), floats(2 * x));
                if (operation.startsWith("layer")) {
                    visitor.accept("biasBackward", floats(x));
                }
            }
            case "headNormBackward" -> {
                visitor.accept(operation, whole);
                visitor.accept("headNormWeightBackward", floats(2 * OperationCost.qkv(args[n - 1])));
            }
            case "embedBackward" -> {
                double x = OperationCost.product(args, n - 3);
                if (args[0] != null) {
                    visitor.accept("embedTokensBackward", floats(3 * x));
                }
                if (args[1] != null) {
                    visitor.accept("embedPositionsBackward", floats(x));
                }
            }
            default -> visitor.accept(operation, whole);
        }
    }

    private static OperationCost floats(double count) {
        return new OperationCost(0, Float.BYTES * count);
    }

    /** Rows times the vocabulary. */
    private static double logits(Object[] args) {
        return area(args, args.length - 3, args.length - 1);
    }

    private static double area(Object[] args, int a, int b) {
        return (double) (int) args[a] * (int) args[b];
    }
}
