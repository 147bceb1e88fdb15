package dev.whirlwind.cli.cost;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Program;
import java.lang.reflect.Proxy;

/**
 * What an operation costs at least, whatever an engine makes of it.
 *
 * @param flops floating-point operations of one that does mostly arithmetic, else 0; a multiply-add is two
 * @param bytes that go through memory, of one that mostly moves memory, else 0
 */
public record OperationCost(double flops, double bytes) {
    public static final OperationCost NONE = new OperationCost(0, 0);

    private static final int FEW_ROWS = 4;

    /** Is told of an operation. */
    @FunctionalInterface
    public interface Visitor {
        void visit(String operation, Object[] arguments);
    }

    /** The sum of both. */
    public OperationCost plus(OperationCost other) {
        return new OperationCost(flops + other.flops, bytes + other.bytes);
    }

    /** Of all of a program's operations. */
    public static OperationCost of(Program program, int layer) {
        OperationCost[] sum = {NONE};
        visit(program, (operation, arguments) -> sum[0] = sum[0].plus(of(operation, arguments, layer)));
        return sum[0];
    }

    /** Names a program's operations, and computes nothing. */
    public static void visit(Program program, Visitor visitor) {
        program.run((Ops) Proxy.newProxyInstance(
                Ops.class.getClassLoader(), new Class<?>[] {Ops.class}, (proxy, method, arguments) -> {
                    visitor.visit(method.getName(), arguments);
                    return null;
                }));
    }

    /** Of the method of {@link Ops} with this name, called with these arguments. */
    public static OperationCost of(String operation, Object[] arguments, int layer) {
        return new OperationCost(flops(operation, arguments, layer), Float.BYTES * floats(operation, arguments));
    }

    private static double flops(String operation, Object[] args, int layer) {
        int n = args.length;
        return switch (operation) {
            case "linear", "linearBackwardInput", "linearBackwardWeight" -> 2 * product(args, n - 3);
            case "headLoss" -> 2 * product(args, n - 3);
            // The logits once more, then the gradients of input and weight.
            case "headLossBackward" -> 6 * product(args, n - 3);
            case "attention" -> ModelFlops.attention((AttentionShape) args[3], layer);
            // Scores once more, then the gradients of values, probabilities, queries and keys.
            case "attentionBackward" -> 2.5 * ModelFlops.attention((AttentionShape) args[6], layer);
            case "project" -> 2 * product(args, n - 3);
            // x x^T, its square, and their product with x.
            case "newtonSchulz" -> {
                double least = Math.min((int) args[n - 2], (int) args[n - 1]);
                yield 2 * least * (2.0 * (int) args[n - 2] * (int) args[n - 1] + least * least);
            }
            default -> 0;
        };
    }

    private static double floats(String operation, Object[] args) {
        int n = args.length;
        return switch (operation) {
            // Where rows are few, it is the weights that take the time.
            case "linear" -> (int) args[n - 3] > FEW_ROWS ? 0 : (double) (int) args[n - 2] * (int) args[n - 1];
            case "embed", "embedBackward" -> 2 * product(args, n - 3);
            case "layerNorm", "rmsNorm" -> 2.0 * (int) args[n - 3] * (int) args[n - 2];
            case "layerNormBackward", "rmsNormBackward" -> 4.0 * (int) args[n - 2] * (int) args[n - 1];
            case "headNorm" -> 2 * qkv(args[n - 2]);
            case "headNormBackward" -> 3 * qkv(args[n - 1]);
            case "rope", "ropeBackward" -> 2 * qkv(args[n - 1]);
            case "activation" -> 2.0 * (int) args[n - 2] * (int) args[n - 1];
            case "activationBackward", "gated", "add" -> 3.0 * (int) args[n - 2] * (int) args[n - 1];
            case "gatedBackward" -> 5.0 * (int) args[n - 2] * (int) args[n - 1];
            case "dropout" -> 2.0 * (int) args[n - 3] * (int) args[n - 2];
            case "addNoise" -> 2.0 * (int) args[n - 3] * (int) args[n - 2];
            case "sumOfSquares" -> (long) args[n - 1];
            case "zero" -> (long) args[n - 1];
            // Parameter, gradient and both moments, read and written.
            case "adamw" -> 8.0 * (long) args[n - 2];
            case "lion" -> 6.0 * (long) args[n - 2];
            case "momentum" -> 4.0 * (long) args[n - 2];
            case "factoredMoments" -> (double) (int) args[n - 2] * (int) args[n - 1];
            case "factoredDirection" -> 2.0 * (int) args[n - 2] * (int) args[n - 1];
            case "scaleByRoots" -> 2.0 * (int) args[n - 3] * (int) args[n - 2];
            case "unfactoredDirection" -> 4.0 * (long) args[n - 1];
            case "divideByNorm" -> 2.0 * (long) args[n - 3];
            case "pull" -> 5.0 * (long) args[n - 2];
            case "descend", "combine" -> 3.0 * (long) args[n - 3];
            default -> 0;
        };
    }

    static double product(Object[] args, int first) {
        return (double) (int) args[first] * (int) args[first + 1] * (int) args[first + 2];
    }

    static double qkv(Object shape) {
        return (double) ((AttentionShape) shape).rows() * ((AttentionShape) shape).qkvWidth();
    }
}
