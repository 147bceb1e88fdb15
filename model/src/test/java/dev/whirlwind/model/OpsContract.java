package dev.whirlwind.model;

import java.util.List;
import org.junit.jupiter.api.TestInstance;

/**
 * What every engine's operations must do, at odd sizes, on random data: forward forms agree with {@link Reference},
 * backward ones with central differences of it, to the tolerance of {@link Trial}, which also says what else is judged in
 * every run. Extend it and name the engine; failures tell how to repeat them.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class OpsContract
        implements EmbeddingContract,
                NormContract,
                LinearContract,
                AttentionContract,
                ElementwiseContract,
                LossContract,
                FrozenContract,
                ColumnsContract,
                OptimizerContract,
                EngineContract {
    /** A new engine; each trial closes its own. All buffers of a trial are allocated before its first run. */
    protected abstract Engine engine();

    /** Whether the engine needs seconds for each new size, so that two sizes of each operation must do. */
    protected boolean slow() {
        return false;
    }

    @Override
    public final Engine newEngine() {
        return engine();
    }

    @Override
    public final <T> List<T> thin(List<T> cases) {
        return slow() ? cases.subList(0, Math.min(2, cases.size())) : cases;
    }

    @Override
    public final Trial trial(String what, int places) {
        return new Trial(engine(), what, places);
    }
}
