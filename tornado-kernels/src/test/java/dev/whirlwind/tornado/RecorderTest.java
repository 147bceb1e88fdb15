package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.Tensor;
import org.junit.jupiter.api.Test;

class RecorderTest {
    @Test
    void longProgramsAreSeveralStages() {
        try (LoopsEngine engine = new LoopsEngine()) {
            Tensor x = new Tensor(engine.allocate("x", 32), 3, 0);
            Recorder recorder = new Recorder(engine);
            Ops ops = new Placement(recorder, recorder, 0).ops();
            for (int i = 0; i < 2 * Stage.MANY_CALLS + 1; i++) {
                ops.zero(x, 16);
            }
            // A call finds its tensors in the cursor of its own stage.
            Inputs inputs = new Inputs(1);
            for (Stage stage : recorder.stages()) {
                x.buffer().segment().fill((byte) 1);
                stage.fill(inputs, 0, 0);
                stage.calls().getFirst().loops().run();
                assertThat(x.buffer().at(3)).isZero();
            }
            assertThat(recorder.stages())
                    .extracting(stage -> stage.calls().size())
                    .containsExactly(Stage.MANY_CALLS, Stage.MANY_CALLS, 1);
        }
    }
}
