package dev.whirlwind.training.optimizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Buffer;
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

/** What the optimizer makes of a gradient that is known, not computed. */
class OptimizerTest {
    private static final AdamW SETTINGS = new AdamW(0.9f, 0.95f, 1e-8f, 0.1f);

    @TempDir
    Path folder;

    private Engine engine;
    private Transformer transformer;

    @BeforeEach
    void load() throws IOException {
        Path model = TinyRun.gpt2(folder, DType.F32);
        engine = TinyRun.engine();
        Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(model)), "weights");
        HuggingFace.load(model, weights);
        transformer = Transformer.forTraining(engine, weights, 1, TinyRun.SEQUENCE, false);
    }

    @AfterEach
    void close() {
        engine.close();
    }

    private void setGradient(long place, float value) {
        transformer.gradients().buffer().segment().setAtIndex(ValueLayout.JAVA_FLOAT, place, value);
    }

    private static float get(Buffer buffer, long place) {
        return buffer.segment().getAtIndex(ValueLayout.JAVA_FLOAT, place);
    }

    /** Moments show what AdamW was given; the first update of the weights would be the same for any length. */
    private float firstMomentOf3And4(double clip) {
        Optimizer optimizer = new Optimizer(engine, transformer, SETTINGS, clip);
        setGradient(0, 3);
        setGradient(5, 4);
        double norm = optimizer.gradientNorm();
        assertThat(norm).isCloseTo(5, within(1e-6));
        optimizer.update(0.01, norm);
        Buffer m = optimizer.state().getFirst().buffer();
        assertThat(get(m, 5)).isCloseTo(get(m, 0) * 4 / 3, within(1e-7f));
        assertThat(get(transformer.gradients().buffer(), 0)).isZero();
        return get(m, 0);
    }

    @Test
    void aLongGradientIsClipped() {
        assertThat(firstMomentOf3And4(2)).isCloseTo(0.1f * 3 * 2 / 5, within(1e-6f));
    }

    @Test
    void aShortOneIsNot() {
        assertThat(firstMomentOf3And4(6)).isCloseTo(0.1f * 3, within(1e-6f));
    }

    @Test
    void zeroMeansNoClipping() {
        assertThat(firstMomentOf3And4(0)).isCloseTo(0.1f * 3, within(1e-6f));
    }

    @Test
    void theNormAddsItsPartsInDouble() {
        ParameterLayout layout = transformer.gradients().layout();
        assertThat(layout.length()).isGreaterThan(5000);
        setGradient(0, 10_000);
        // So far away that it is in another part of the sum; in floats, 1e8 + 1 is 1e8.
        setGradient(layout.length() - 1, 1);
        Optimizer optimizer = new Optimizer(engine, transformer, SETTINGS, 0);
        assertThat(optimizer.gradientNorm()).isCloseTo(Math.sqrt(1e8 + 1), within(1e-9));
    }

    /** Kingma and Ba, with the decay of Loshchilov and Hutter for matrices, over three updates. */
    @Test
    void threeUpdatesAreTheFormulas() {
        ParameterLayout layout = transformer.gradients().layout();
        long matrix = 7;
        long vector = layout.decayedLength() + 3;
        Optimizer optimizer = new Optimizer(engine, transformer, SETTINGS, 0);
        for (long place : new long[] {matrix, vector}) {
            double w = get(transformer.weights().buffer(), place);
            double decay = place == matrix ? 0.1 : 0;
            double m = 0;
            double v = 0;
            optimizer.resumeAfter(0);
            for (int t = 1; t <= 3; t++) {
                float g = 0.5f - 0.4f * t;
                double lr = 0.01 * t;
                setGradient(place, g);
                optimizer.update(lr, 1);
                m = 0.9 * m + 0.1 * g;
                v = 0.95 * v + 0.05 * g * g;
                w = w * (1 - lr * decay)
                        - lr * (m / (1 - Math.pow(0.9, t))) / (Math.sqrt(v / (1 - Math.pow(0.95, t))) + 1e-8);
                assertThat(get(transformer.weights().buffer(), place)).isCloseTo((float) w, within(2e-6f));
            }
            assertThat(optimizer.updates()).isEqualTo(3);
        }
    }
}
