package dev.whirlwind.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Tensor;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class SumOfSquaresTest {
    private static final int STRETCH = 1 << 12;

    /** Each part is three stretches whose sums are 2^24, 1 and 1; in floats, 2^24 + 1 is 2^24. */
    @Test
    void stretchesAreAddedInDouble() {
        int length = Ops.PARTIALS * 3 * STRETCH;
        try (CpuEngine engine = new CpuEngine(2)) {
            Tensor x = new Tensor(engine.allocate("x", length), 0, 0);
            Tensor partials = new Tensor(engine.allocate("partials", Ops.PARTIALS), 0, 0);
            for (int i = 0; i < length; i += STRETCH) {
                x.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, i % (3 * STRETCH) == 0 ? 4096 : 1);
            }
            engine.run(ops -> ops.sumOfSquares(partials, x, length), new Inputs(1), 0);
            for (int part = 0; part < Ops.PARTIALS; part++) {
                assertThat(partials.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, part))
                        .isEqualTo(16_777_218f);
            }
        }
    }
}
