package dev.whirlwind.cpu;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.OpsContract;

class CpuOpsTest extends OpsContract {
    @Override
    protected Engine engine() {
        return new CpuEngine();
    }
}
