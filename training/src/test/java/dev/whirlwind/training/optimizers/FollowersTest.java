package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.TinyRun;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The average of the weights, and what holds them back. */
class FollowersTest {
    @TempDir
    Path folder;

    private Engine engine;
    private Transformer transformer;
    private Parameters weights;

    @BeforeEach
    void load() throws IOException {
        Path model = TinyRun.gpt2(folder, DType.F32);
        engine = TinyRun.engine();
        weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(model)), "weights");
        HuggingFace.load(model, weights);
        transformer = Transformer.forTraining(engine, weights, 1, TinyRun.SEQUENCE, false);
    }

    @AfterEach
    void close() {
        engine.close();
    }

    private static float get(Parameters parameters, long place) {
        return parameters.buffer().segment().getAtIndex(ValueLayout.JAVA_FLOAT, place);
    }

    private void add(long place, float change) {
        weights.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, place, get(weights, place) + change);
    }

    @Test
    void theAverageBeginsAsTheWeightsAndFollowsThem() {
        WeightAverage average = new WeightAverage(engine, transformer, 0.9);
        average.begin();
        assertThat(average.parameters()
                        .buffer()
                        .segment()
                        .mismatch(weights.buffer().segment()))
                .isEqualTo(-1);
        long last = weights.layout().length() - 1;
        double expected = get(weights, last);
        for (int i = 0; i < 3; i++) {
            add(last, 1);
            average.follow();
            expected = 0.9 * expected + 0.1 * get(weights, last);
        }
        assertThat(get(average.parameters(), last)).isCloseTo((float) expected, within(1e-6f));
        assertThat(get(average.parameters(), 0)).isCloseTo(get(weights, 0), within(1e-7f));
    }

    /** SGD on 0.5 strength (p - start)^2 alone, also of vectors. */
    @Test
    void theAnchorPullsBack() {
        Anchor anchor = new Anchor(engine, transformer, 0.5, null, 0);
        anchor.begin();
        long last = weights.layout().length() - 1;
        double start = get(weights, last);
        add(last, 2);
        transformer.inputs().learningRate = 0.1f;
        double distance = 2;
        for (int i = 0; i < 4; i++) {
            anchor.follow();
            distance *= 1 - 0.1 * 0.5;
        }
        assertThat(get(weights, last)).isCloseTo((float) (start + distance), within(1e-6f));
    }

    /** The gradient of weight / 2 * importance * (p - start)^2, before the update; nothing after it. */
    @Test
    void importanceHoldsTheWeightsThatMatter() {
        Parameters importance = new Parameters(engine, weights.layout(), "importance");
        long last = weights.layout().length() - 1;
        importance.buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, last, 3);
        Anchor anchor = new Anchor(engine, transformer, 0, importance, 0.5);
        anchor.begin();
        add(last, 2);
        add(0, 2);
        anchor.pull();
        anchor.pull();
        assertThat(get(transformer.gradients(), last)).isCloseTo(2 * 0.5f * 3 * 2, within(1e-5f));
        assertThat(get(transformer.gradients(), 0)).isZero();
        float moved = get(weights, last);
        anchor.follow();
        assertThat(get(weights, last)).isEqualTo(moved);
    }
}
