package dev.whirlwind.tornado;

import dev.whirlwind.tornado.kernels.GemmBlocked;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * What an item of a kernel costs without its loops, and what a round of each loop adds: fitted to the simulator's counts at
 * several sizes (least squares of the relative deviations).
 *
 * @param terms an item's first, then a round's of each loop
 * @param worst largest relative deviation from a count of instructions
 */
record CostPerRound(List<Counts> terms, double worst) {
    /** Of every kernel that ran. */
    static Map<String, CostPerRound> fit(List<Launch> launches, List<Counts> counted) {
        Map<String, List<Integer>> byKernel = new LinkedHashMap<>();
        for (int i = 0; i < launches.size(); i++) {
            if (!launches.get(i).kernel().equals(counted.get(i).kernel())) {
                throw new IllegalStateException(
                        "run " + i + " was of " + counted.get(i).kernel() + ", not of "
                                + launches.get(i).kernel());
            }
            byKernel.computeIfAbsent(key(launches.get(i)), key -> new ArrayList<>())
                    .add(i);
        }
        Map<String, CostPerRound> all = new LinkedHashMap<>();
        byKernel.forEach((key, places) -> all.put(
                key,
                fit(
                        places.stream().map(launches::get).toList(),
                        places.stream().map(counted::get).toList(),
                        Rounds.of(launches.get(places.getFirst())).all().size())));
        return all;
    }

    /** Kernels with other loops for other arguments are several. */
    static String key(Launch launch) {
        return switch (launch.kernel()) {
            case "wColumnSums" -> "wColumnSums " + launch.size(6) % 4;
            case "wGemmBlocked" -> "wGemmBlocked " + launch.size(4) / GemmBlocked.A_BY_DEPTH;
            default -> launch.kernel();
        };
    }

    private static CostPerRound fit(List<Launch> launches, List<Counts> counted, int loops) {
        // As many loops as there are different sizes for.
        for (int use = loops; ; use--) {
            double[][] x = new double[launches.size()][];
            for (int i = 0; i < x.length; i++) {
                x[i] = sizes(launches.get(i), use);
            }
            List<Counts> terms = new ArrayList<>();
            double[] instructions = solve(x, counted, Counts::instructions);
            if (instructions.length == 0 && use > 0) {
                continue;
            }
            double[] globalBytes = solve(x, counted, Counts::globalBytes);
            double[] localBytes = solve(x, counted, Counts::localBytes);
            double[] arithmetic = solve(x, counted, Counts::arithmetic);
            for (int j = 0; j < instructions.length; j++) {
                terms.add(new Counts("", instructions[j], globalBytes[j], localBytes[j], arithmetic[j]));
            }
            double worst = 0;
            for (int i = 0; i < x.length; i++) {
                double sum = 0;
                for (int j = 0; j < instructions.length; j++) {
                    sum += instructions[j] * x[i][j];
                }
                worst = Math.max(worst, Math.abs(sum / counted.get(i).instructions() - 1));
            }
            return new CostPerRound(terms, worst);
        }
    }

    private static double[] sizes(Launch launch, int loops) {
        double[] sizes = new double[loops + 1];
        sizes[0] = launch.items();
        for (int j = 0; j < loops; j++) {
            sizes[j + 1] = Rounds.of(launch).all().get(j);
        }
        return sizes;
    }

    /** All items of a launch together. */
    Counts all(Launch launch) {
        return sum((double) launch.items(), Rounds.of(launch).all());
    }

    /** The item that has most to do. */
    Counts longest(Launch launch) {
        return sum(1.0, Rounds.of(launch).longest());
    }

    private Counts sum(double items, List<Double> rounds) {
        Counts sum = new Counts("", 0, 0, 0, 0);
        for (int j = 0; j < terms.size(); j++) {
            double times = j == 0 ? items : rounds.get(j - 1);
            Counts term = terms.get(j);
            sum = sum.plus(new Counts(
                    "",
                    times * term.instructions(),
                    times * term.globalBytes(),
                    times * term.localBytes(),
                    times * term.arithmetic()));
        }
        return sum;
    }

    /** Normal equations, by elimination; nothing where they have no single solution. */
    private static double[] solve(double[][] x, List<Counts> counted, ToDoubleFunction<Counts> count) {
        int n = x[0].length;
        double[][] a = new double[n][n + 1];
        for (int i = 0; i < x.length; i++) {
            double scale = 1 / Math.pow(counted.get(i).instructions(), 2);
            for (int row = 0; row < n; row++) {
                for (int column = 0; column < n; column++) {
                    a[row][column] += scale * x[i][row] * x[i][column];
                }
                a[row][n] += scale * x[i][row] * count.applyAsDouble(counted.get(i));
            }
        }
        double[] diagonal = new double[n];
        for (int k = 0; k < n; k++) {
            diagonal[k] = a[k][k];
        }
        for (int k = 0; k < n; k++) {
            if (a[k][k] < 1e-9 * diagonal[k]) {
                return new double[0];
            }
            for (int row = 0; row < n; row++) {
                double factor = row == k ? 0 : a[row][k] / a[k][k];
                for (int column = k; column <= n; column++) {
                    a[row][column] -= factor * a[k][column];
                }
            }
        }
        double[] result = new double[n];
        for (int k = 0; k < n; k++) {
            result[k] = a[k][n] / a[k][k];
        }
        return result;
    }
}
