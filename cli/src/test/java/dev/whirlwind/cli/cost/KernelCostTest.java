package dev.whirlwind.cli.cost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.AttentionShape;
import dev.whirlwind.model.Dropout;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class KernelCostTest {
    private static final Tensor ANY = new Tensor(null, 0, 0);

    private static Map<String, OperationCost> kernels(Program program) {
        Map<String, OperationCost> kernels = new TreeMap<>();
        OperationCost.visit(
                program,
                (operation, arguments) -> KernelCost.visit(
                        operation, arguments, 0, (kernel, cost) -> kernels.merge(kernel, cost, OperationCost::plus)));
        return kernels;
    }

    @Test
    void theHeadsProductsCountAmongTheOthers() {
        Program program = ops -> {
            ops.linear(ANY, ANY, ANY, null, 10, 3, 5);
            ops.headLossBackward(ANY, ANY, ANY, ANY, ANY, 10, 3, 100);
        };
        Map<String, OperationCost> kernels = kernels(program);
        assertThat(kernels.get("linear")).isEqualTo(new OperationCost(2 * 10 * 3 * (5 + 100), 0));
        assertThat(kernels.get("linearBackwardInput").flops()).isEqualTo(2 * 10 * 3 * 100);
        assertThat(kernels.get("linearBackwardWeight").flops()).isEqualTo(2 * 10 * 3 * 100);
        // Logits become their gradients in place.
        assertThat(kernels.get("headLossBackward")).isEqualTo(new OperationCost(0, 4 * 2 * 10 * 100));
        assertThat(kernels.values().stream().mapToDouble(OperationCost::flops).sum())
                .isCloseTo(OperationCost.of(program, 0).flops(), within(1e-6));
    }

    @Test
    void attentionCountsWhatQueriesSee() {
        // 4 queries see 1, 2, 3 and 4 keys.
        AttentionShape shape = new AttentionShape(2, 4, 3, 1, 8, 0);
        double forward = 4.0 * 10 * 2 * 3 * 8;
        assertThat(kernels(ops -> ops.attention(ANY, ANY, ANY, shape, Dropout.NONE))
                        .get("attention"))
                .isEqualTo(new OperationCost(forward, 0));
        Map<String, OperationCost> backward =
                kernels(ops -> ops.attentionBackward(ANY, ANY, ANY, ANY, ANY, ANY, shape, Dropout.NONE));
        assertThat(backward.get("attentionQueryBackward").flops()).isEqualTo(1.5 * forward);
        assertThat(backward.get("attentionKeyValueBackward").flops()).isEqualTo(2 * forward);
        assertThat(backward.get("attentionDelta").bytes()).isEqualTo(4 * 2 * 8 * 24);
    }

    @Test
    void fewRowsAreBoundByTheirWeights() {
        assertThat(OperationCost.of(ops -> ops.linear(ANY, ANY, ANY, null, 1, 30, 50), 0))
                .isEqualTo(new OperationCost(2 * 30 * 50, 4 * 30 * 50));
    }

    @Test
    void biasesAndNormsHaveKernelsOfTheirOwn() {
        Map<String, OperationCost> kernels = kernels(ops -> {
            ops.linearBackwardWeight(ANY, ANY, ANY, ANY, 10, 3, 5);
            ops.layerNormBackward(ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY, 10, 3);
        });
        assertThat(kernels.get("biasBackward").bytes()).isEqualTo(4 * (10 * 5 + 10 * 3));
        assertThat(kernels.get("layerNormWeightBackward").bytes()).isEqualTo(4 * 2 * 10 * 3);
    }
}
