package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.OpsContract;

/** Every kernel, as plain Java, against the formulas in double. */
class LoopsOpsTest extends OpsContract {
    @Override
    protected Engine engine() {
        return new LoopsEngine();
    }
}
