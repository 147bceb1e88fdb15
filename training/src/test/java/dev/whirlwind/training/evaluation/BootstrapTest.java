package dev.whirlwind.training.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BootstrapTest {
    private static List<double[]> documents(Random random, int n, double shift) {
        List<double[]> documents = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            documents.add(new double[] {random.nextGaussian() + shift, 1});
        }
        return documents;
    }

    private static double mean(double[] sums) {
        return sums[0] / sums[1];
    }

    /** For a mean the interval is nearly 1.96 standard errors to each side. */
    @Test
    void intervalOfAMean() {
        List<double[]> documents = documents(new Random(1), 400, 3);
        Bootstrap b = Bootstrap.of(documents, BootstrapTest::mean);
        double variance = documents.stream()
                        .mapToDouble(d -> (d[0] - b.score()) * (d[0] - b.score()))
                        .sum()
                / 400;
        double half = 1.96 * Math.sqrt(variance / 400);
        assertThat(b.low()).isCloseTo(b.score() - half, within(0.05 * half));
        assertThat(b.high()).isCloseTo(b.score() + half, within(0.05 * half));
        assertThat(b.count()).isEqualTo(400);
        assertThat(b).isEqualTo(Bootstrap.of(documents, BootstrapTest::mean));
    }

    /** Of true differences of 0, 5 % or so are called significant, and their intervals leave 0 out as often. */
    @Test
    void errorsAreAsFrequentAsTheySay() {
        Random random = new Random(2);
        int significant = 0;
        int outside = 0;
        for (int i = 0; i < 300; i++) {
            Bootstrap b = Bootstrap.difference(documents(random, 60, 1), documents(random, 60, 1), BootstrapTest::mean);
            significant += b.significant() ? 1 : 0;
            outside += b.low() > 0 || b.high() < 0 ? 1 : 0;
        }
        assertThat(significant).isBetween(6, 30);
        assertThat(outside).isBetween(6, 30);
    }

    /** What varies between documents but not between the two does not matter. */
    @Test
    void differencesArePaired() {
        List<double[]> first = documents(new Random(3), 50, 0);
        List<double[]> second =
                first.stream().map(d -> new double[] {d[0] - 0.01, 1}).toList();
        Bootstrap b = Bootstrap.difference(first, second, BootstrapTest::mean);
        assertThat(b.score()).isCloseTo(-0.01, within(1e-12));
        assertThat(b.high()).isLessThan(-0.0099);
        assertThat(b.pValue()).isLessThan(0.001);
    }
}
