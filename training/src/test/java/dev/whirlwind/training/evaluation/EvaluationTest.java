package dev.whirlwind.training.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.data.EvaluationWindows;
import dev.whirlwind.data.EvaluationWindows.Convention;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.training.TinyRun;
import dev.whirlwind.training.evaluation.Evaluation.Part;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluationTest {
    private static final int END = 255;

    @TempDir
    Path folder;

    /** Documents of 1 to 40 tokens and their ends. */
    private static TokenSource text() {
        Random random = new Random(8);
        int[] tokens = new int[500];
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] = random.nextInt(20) == 0 ? END : random.nextInt(60);
        }
        return TokenSource.of("text", tokens, 400, 256, END);
    }

    private Evaluation evaluate(int batch, int most, Convention convention) throws IOException {
        Path model = TinyRun.llama(folder, weights -> {});
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(model)), "weights");
            HuggingFace.load(model, weights);
            return Evaluation.of(
                    Transformer.forEvaluation(engine, weights, batch, TinyRun.SEQUENCE),
                    new EvaluationWindows(text(), TinyRun.SEQUENCE, convention, most));
        }
    }

    @Test
    void theSameForEveryBatchSize() throws IOException {
        Evaluation one = evaluate(1, 13, Convention.OVERLAPPING);
        Evaluation five = evaluate(5, 13, Convention.OVERLAPPING);
        assertThat(one.windows()).hasSize(13);
        assertThat(five.meanNll()).isCloseTo(one.meanNll(), within(1e-7));
        assertThat(five.predicted()).isEqualTo(one.predicted());
        assertThat(five.documents()).hasSameSizeAs(one.documents());
    }

    @Test
    void documentsAndWindowsHoldTheSamePredictions() throws IOException {
        int[] tokens = new int[500];
        text().read(0, tokens, 0, 500);
        Evaluation evaluation = evaluate(4, 0, Convention.OVERLAPPING);
        assertThat(evaluation.documents().stream().mapToLong(Part::predicted).sum())
                .isEqualTo(499)
                .isEqualTo(evaluation.predicted());
        assertThat(evaluation.documents().stream().mapToDouble(Part::nll).sum())
                .isCloseTo(evaluation.sumNll(), within(1e-9));
        List<Part> documents = evaluation.documents();
        int document = 0;
        long predicted = 0;
        for (int place = 1; place < 500; place++) {
            predicted++;
            if (tokens[place] == END || place == 499) {
                assertThat(documents.get(document++).predicted()).isEqualTo(predicted);
                predicted = 0;
            }
        }
        assertThat(documents).hasSize(document);
    }

    /** Windows that are not next to each other may still lie in one document. */
    @Test
    void documentsReachOverGaps() throws IOException {
        Path model = TinyRun.llama(folder, weights -> {});
        int[] tokens = new int[200];
        tokens[100] = END;
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(model)), "weights");
            Evaluation evaluation = Evaluation.of(
                    Transformer.forEvaluation(engine, weights, 2, 10),
                    new EvaluationWindows(TokenSource.of("text", tokens, 199, 256, END), 10, Convention.SEPARATE, 6));
            assertThat(evaluation.documents()).extracting(Part::predicted).containsExactly(3L * 9, 3L * 9);
            assertThat(evaluation.meanNll()).isCloseTo(Math.log(256), within(1e-5));
            assertThat(evaluation.bitsPerByte(108)).isCloseTo(4, within(1e-4));
            assertThat(evaluation.perplexity()).isCloseTo(256, within(0.01));
        }
    }

    /** A sum of a thousand floats in floats would differ in its last digits. */
    @Test
    void lossesAreAddedInDouble() throws IOException {
        Path model = TinyRun.llama(folder, weights -> {});
        try (Engine engine = TinyRun.engine()) {
            Parameters weights = new Parameters(engine, new ParameterLayout(ModelConfig.read(model)), "weights");
            HuggingFace.load(model, weights);
            Transformer transformer = Transformer.forTraining(engine, weights, 60, 16, false);
            EvaluationWindows windows = new EvaluationWindows(text(), 16, Convention.OVERLAPPING);
            Evaluation evaluation = Evaluation.of(transformer, windows);
            assertThat(evaluation.sumNll()).isEqualTo(sum(transformer), within(1e-11));
            assertThat(evaluation.windows().getFirst().nll())
                    .isEqualTo(
                            IntStream.range(0, 16)
                                    .mapToDouble(place -> nll(transformer, place))
                                    .sum(),
                            within(1e-12));
            double training = transformer.forwardBackward();
            assertThat(training).isEqualTo(sum(transformer), within(1e-11));
        }
    }

    private static double sum(Transformer transformer) {
        double sum = 0;
        for (int place = 0; place < 60 * 16; place++) {
            sum += transformer.inputs().targets[place] >= 0 ? nll(transformer, place) : 0;
        }
        return sum;
    }

    private static double nll(Transformer transformer, int place) {
        return transformer.nll().getAtIndex(ValueLayout.JAVA_FLOAT, place);
    }
}
