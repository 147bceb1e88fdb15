package dev.whirlwind.training.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.model.UserException;
import dev.whirlwind.training.evaluation.Comparison.Unit;
import dev.whirlwind.training.evaluation.Evaluation.Part;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.LongFunction;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class ComparisonTest {
    private static final int TRIALS = 400;

    /** Two models' evaluations of a text. */
    private record Pair(Evaluation first, Evaluation second) {
        Comparison compare() {
            return Comparison.of(first, second);
        }
    }

    /** Differences of the parts; the first model's losses are all 3 nats per token. */
    private static Pair pair(List<Part> windows, List<Part> documents) {
        return new Pair(
                new Evaluation("text", 0, plus(windows, 0, 3), plus(documents, 0, 3)),
                new Evaluation("text", 0, plus(windows, 1, 3), plus(documents, 1, 3)));
    }

    private static List<Part> plus(List<Part> parts, double times, double perToken) {
        return parts.stream()
                .map(part -> new Part(part.predicted(), times * part.nll() + perToken * part.predicted()))
                .toList();
    }

    /** A single document of these windows. */
    private static Pair oneDocument(List<Part> windows) {
        return pair(windows, List.of(windows.stream().reduce(new Part(0, 0), Part::plus)));
    }

    /**
     * Documents of very different lengths in windows of 100 tokens. The models differ by {@code shift} in the mean, and by
     * {@code 0.1} from document to document, for documents have their subjects.
     */
    private static Pair documents(long seed, int count, double shift) {
        Random random = new Random(seed);
        List<Part> windows = new ArrayList<>();
        List<Part> documents = new ArrayList<>();
        for (int d = 0; d < count; d++) {
            double difference = shift + 0.1 * random.nextGaussian();
            int length = 1 + (int) (5 * Math.exp(random.nextGaussian()));
            Part document = new Part(0, 0);
            for (int w = 0; w < length; w++) {
                Part window = new Part(100, 100 * (difference + 0.05 * random.nextGaussian()));
                windows.add(window);
                document = document.plus(window);
            }
            documents.add(document);
        }
        return pair(windows, documents);
    }

    private static double significant(LongFunction<Pair> trials) {
        return (double) LongStream.range(0, TRIALS)
                        .filter(seed -> trials.apply(seed).compare().significant())
                        .count()
                / TRIALS;
    }

    /** All 46,656 ways of drawing six documents, each as likely as the other, by the formulas as they are written. */
    @Test
    void itIsTheStudentizedBootstrap() {
        List<Part> documents = List.of(
                new Part(10, -3),
                new Part(20, 2),
                new Part(15, -9),
                new Part(12, -8),
                new Part(30, -21),
                new Part(9, 1));
        double mean = mean(documents);
        double errors = Math.abs(mean) / error(documents);
        int all = (int) Math.pow(6, 6);
        double[] off = new double[all];
        for (int i = 0; i < all; i++) {
            List<Part> drawn = new ArrayList<>();
            for (int digits = i, d = 0; d < 6; d++, digits /= 6) {
                drawn.add(documents.get(digits % 6));
            }
            off[i] = Math.abs(mean(drawn) - mean) / error(drawn);
        }
        Arrays.sort(off);
        double half = off[(int) (0.95 * all)] * error(documents);
        double pValue =
                (double) Arrays.stream(off).filter(draw -> draw >= errors).count() / all;
        Comparison comparison = pair(documents, documents).compare();
        assertThat(comparison.unit()).isEqualTo(Unit.DOCUMENTS);
        assertThat(comparison.parts()).isEqualTo(6);
        assertThat(comparison.difference()).isCloseTo(-38 / 96.0, within(1e-12));
        // 10,000 draws of them, so to some hundredths.
        assertThat(comparison.pValue()).isCloseTo(pValue, within(0.012));
        assertThat(pValue).isBetween(0.02, 0.2);
        assertThat(comparison.high()).isCloseTo(mean + half, within(0.06 * half));
        assertThat(comparison.low()).isCloseTo(mean - half, within(0.06 * half));
    }

    private static double mean(List<Part> parts) {
        return parts.stream().mapToDouble(Part::nll).sum()
                / parts.stream().mapToDouble(Part::predicted).sum();
    }

    private static double error(List<Part> parts) {
        double mean = mean(parts);
        return Math.sqrt(parts.stream()
                        .mapToDouble(part -> Math.pow(part.nll() - mean * part.predicted(), 2))
                        .sum())
                / parts.stream().mapToDouble(Part::predicted).sum();
    }

    @Test
    void equalModelsDifferInOneOfTwentyTexts() {
        assertThat(significant(seed -> documents(seed, 60, 0))).isBetween(0.02, 0.08);
        // Twelve, unless most tokens are of a few of them; by percentiles it would be one in nine.
        List<Comparison> few = LongStream.range(0, 3 * TRIALS)
                .mapToObj(seed -> documents(seed, 12, 0).compare())
                .filter(comparison -> comparison.unit() == Unit.DOCUMENTS)
                .toList();
        assertThat(few).hasSizeGreaterThan(2 * TRIALS);
        assertThat((double) few.stream().filter(Comparison::significant).count() / few.size())
                .isBetween(0.03, 0.075);
    }

    /** The same windows, taken for independent, would have found a difference in every third text. */
    @Test
    void windowsOfADocumentAreNotIndependent() {
        assertThat(significant(seed -> {
                    Pair pair = documents(seed, 60, 0);
                    return new Pair(withWindowsAsDocuments(pair.first), withWindowsAsDocuments(pair.second));
                }))
                .isGreaterThan(0.3);
    }

    private static Evaluation withWindowsAsDocuments(Evaluation e) {
        return new Evaluation(e.data(), e.tokens(), e.windows(), e.windows());
    }

    @Test
    void aDifferenceIsFound() {
        // 60 documents of unequal length are worth some 27; their differences scatter by about 0.1.
        assertThat(significant(seed -> documents(seed, 60, 0.08))).isGreaterThan(0.93);
        assertThat(LongStream.range(0, 100)
                        .mapToDouble(seed -> documents(seed, 60, 0.08).compare().difference())
                        .average()
                        .orElseThrow())
                .isCloseTo(0.08, within(0.008));
    }

    @Test
    void intervalAndPValueAgree() {
        for (int seed = 0; seed < 300; seed++) {
            Comparison c = documents(seed, 20, 0.03).compare();
            if (!Double.isNaN(c.pValue())) {
                assertThat(c.significant()).isEqualTo(c.low() > 0 || c.high() < 0);
                assertThat(c.difference()).isCloseTo((c.low() + c.high()) / 2, within(1e-12));
            }
        }
    }

    /** A gain of 0.1 in 100 windows of 1,024, and a last window whose one token was very unlucky. */
    @Test
    void aTinyLastWindowDoesNoHarm() {
        Random random = new Random(5);
        List<Part> windows = new ArrayList<>();
        for (int w = 0; w < 100; w++) {
            windows.add(new Part(1024, 1024 * (-0.1 + 0.1 * random.nextGaussian())));
        }
        Comparison without = oneDocument(windows).compare();
        windows.add(new Part(1, 15));
        Comparison with = oneDocument(windows).compare();
        assertThat(without.pValue()).isLessThan(1e-3);
        assertThat(with.pValue()).isLessThan(2e-3);
        // Nor does a tiny last document.
        List<Part> documents = new ArrayList<>(windows);
        assertThat(pair(windows, documents).compare().unit()).isEqualTo(Unit.DOCUMENTS);
        assertThat(pair(windows, documents).compare().pValue()).isLessThan(1.1e-4);
    }

    /** What a window has of one model's luck lasts into the next ones: an autoregression of 0.6. */
    @Test
    void blocksOfALongDocumentHoldWhatBelongsTogether() {
        LongFunction<Pair> text = seed -> {
            Random random = new Random(seed);
            List<Part> windows = new ArrayList<>();
            double state = random.nextGaussian() / 0.8;
            for (int w = 0; w < 400; w++) {
                state = 0.6 * state + random.nextGaussian();
                windows.add(new Part(64, 64 * 0.1 * state));
            }
            return oneDocument(windows);
        };
        assertThat(significant(text)).isBetween(0.035, 0.075);
        Comparison comparison = text.apply(0).compare();
        assertThat(comparison.unit()).isEqualTo(Unit.BLOCKS);
        assertThat(comparison.parts()).isEqualTo(20);
    }

    /** One of them holds nearly all tokens, so they say next to nothing of other documents. */
    @Test
    void documentsOfWhichOneIsNearlyAllAreCutIntoBlocks() {
        List<Part> windows = new ArrayList<>();
        List<Part> documents = new ArrayList<>();
        for (int w = 0; w < 100; w++) {
            windows.add(new Part(10, w % 3));
        }
        documents.add(windows.subList(0, 80).stream().reduce(new Part(0, 0), Part::plus));
        documents.addAll(windows.subList(80, 100));
        Comparison comparison = pair(windows, documents).compare();
        assertThat(comparison.unit()).isEqualTo(Unit.BLOCKS);
        assertThat(comparison.parts()).isEqualTo(10);
    }

    @Test
    void tooFewPartsTellNothing() {
        List<Part> windows = new ArrayList<>();
        for (int w = 0; w < 24; w++) {
            windows.add(new Part(10, 1 + w % 2));
        }
        Comparison comparison = oneDocument(windows).compare();
        assertThat(comparison.difference()).isCloseTo(0.15, within(1e-12));
        assertThat(comparison.pValue()).isNaN();
        assertThat(comparison.low()).isNaN();
        assertThat(comparison.high()).isNaN();
        assertThat(comparison.significant()).isFalse();
        windows.add(new Part(9, 1));
        assertThat(oneDocument(windows).compare().pValue()).isBetween(0.001, 0.05);
        assertThat(oneDocument(List.of(new Part(10, 1))).compare().pValue()).isNaN();
    }

    @Test
    void aModelDoesNotDifferFromItself() {
        Evaluation evaluation = documents(1, 20, 0).second();
        assertThat(Comparison.of(evaluation, evaluation)).isEqualTo(new Comparison(0, 0, 0, 1, 20, Unit.DOCUMENTS));
        Evaluation small = new Evaluation("text", 9, List.of(new Part(8, 20)), List.of(new Part(8, 20)));
        assertThat(Comparison.of(small, small).pValue()).isEqualTo(1);
    }

    @Test
    void aDifferenceWithoutAnySpreadIsCertain() {
        List<Part> documents =
                LongStream.range(0, 9).mapToObj(_ -> new Part(8, 4)).toList();
        Comparison comparison = pair(documents, documents).compare();
        assertThat(comparison.pValue()).isLessThan(1.1e-4);
        assertThat(comparison.low()).isEqualTo(0.5).isEqualTo(comparison.high());
        // Nor is spread what a sum is rounded by.
        List<Part> thirds =
                LongStream.range(1, 9).mapToObj(i -> new Part(i, i * (1 / 3.0))).toList();
        assertThat(pair(thirds, thirds).compare().high()).isCloseTo(1 / 3.0, within(1e-12));
    }

    /** Most draws of fifteen documents, fourteen of which differ by the same, have no spread. */
    @Test
    void oneDocumentOfItsOwnKindTellsNothing() {
        List<Part> documents = new ArrayList<>(Collections.nCopies(14, new Part(8, 4)));
        documents.add(new Part(8, 40));
        Comparison comparison = pair(documents, documents).compare();
        assertThat(comparison.unit()).isEqualTo(Unit.DOCUMENTS);
        assertThat(comparison.pValue()).isNaN();
        assertThat(comparison.low()).isNaN();
    }

    @Test
    void otherWindowsCannotBeCompared() {
        Evaluation a = documents(2, 50, 0).first();
        assertThatThrownBy(() -> Comparison.of(a, documents(3, 50, 0).first())).isInstanceOf(UserException.class);
        Evaluation others = new Evaluation(a.data(), a.tokens(), a.windows(), a.windows());
        assertThatThrownBy(() -> Comparison.of(a, others)).isInstanceOf(UserException.class);
    }
}
