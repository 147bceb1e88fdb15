package dev.whirlwind.model;

/** The contract, proved on formulas. */
final class ReferenceEngineTest extends OpsContract {
    @Override
    protected Engine engine() {
        return new ReferenceEngine();
    }
}
