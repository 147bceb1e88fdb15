package dev.whirlwind.cpu;

import java.util.concurrent.CountDownLatch;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * What the machine's fused multiply-add units give when nothing else holds them up: the peak that a matrix product is
 * measured against. Twelve independent sums per thread cover the latency of one FMA (4 cycles) on two units.
 */
public final class PeakBenchmark {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int SUMS = 12;
    private static final int ROUNDS = 2_000_000;

    private PeakBenchmark() {}

    /** The best of several measurements on so many threads, in 10^9 floating-point operations per second. */
    public static double gflops(int threads, int measurements) {
        double best = 0;
        for (int i = 0; i < measurements; i++) {
            best = Math.max(best, measure(threads));
        }
        return best;
    }

    private static double measure(int threads) {
        CountDownLatch ready = new CountDownLatch(threads);
        float[] results = new float[threads];
        double[] seconds = new double[threads];
        Thread[] team = new Thread[threads];
        for (int t = 0; t < threads; t++) {
            int self = t;
            team[t] = Thread.ofPlatform().daemon().start(() -> {
                ready.countDown();
                try {
                    ready.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                long start = System.nanoTime();
                results[self] = sums(1 + self);
                seconds[self] = (System.nanoTime() - start) * 1e-9;
            });
        }
        double rate = 0;
        for (int t = 0; t < threads; t++) {
            try {
                team[t].join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            // A result that nobody looked at would never be computed.
            rate += Float.isNaN(results[t]) ? 0 : 2e-9 * SUMS * SPECIES.length() * ROUNDS / seconds[t];
        }
        return rate;
    }

    private static float sums(float seed) {
        FloatVector a = FloatVector.broadcast(SPECIES, 0.999f);
        FloatVector b = FloatVector.broadcast(SPECIES, seed * 1e-3f);
        FloatVector s0 = b;
        FloatVector s1 = b;
        FloatVector s2 = b;
        FloatVector s3 = b;
        FloatVector s4 = b;
        FloatVector s5 = b;
        FloatVector s6 = b;
        FloatVector s7 = b;
        FloatVector s8 = b;
        FloatVector s9 = b;
        FloatVector s10 = b;
        FloatVector s11 = b;
        for (int i = 0; i < ROUNDS; i++) {
            s0 = s0.fma(a, b);
            s1 = s1.fma(a, b);
            s2 = s2.fma(a, b);
            s3 = s3.fma(a, b);
            s4 = s4.fma(a, b);
            s5 = s5.fma(a, b);
            s6 = s6.fma(a, b);
            s7 = s7.fma(a, b);
            s8 = s8.fma(a, b);
            s9 = s9.fma(a, b);
            s10 = s10.fma(a, b);
            s11 = s11.fma(a, b);
        }
        return s0.add(s1)
                .add(s2.add(s3))
                .add(s4.add(s5).add(s6.add(s7)))
                .add(s8.add(s9).add(s10.add(s11)))
                .reduceLanes(VectorOperators.ADD);
    }
}
