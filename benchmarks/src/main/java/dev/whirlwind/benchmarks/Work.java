package dev.whirlwind.benchmarks;

import dev.whirlwind.cli.cost.OperationCost;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** Work done, in 10^9 floating-point operations and 10^9 bytes; JMH divides by seconds. */
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.OPERATIONS)
public class Work {
    public double gflop;
    public double gb;

    void add(OperationCost cost) {
        gflop += 1e-9 * cost.flops();
        gb += 1e-9 * cost.bytes();
    }
}
