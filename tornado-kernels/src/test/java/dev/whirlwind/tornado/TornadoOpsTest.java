package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.OpsContract;
import org.junit.jupiter.api.BeforeAll;

/** Every kernel on the device against the formulas in double. */
class TornadoOpsTest extends OpsContract {
    @BeforeAll
    static void needsDevice() {
        Sdk.assumeDevice();
    }

    @Override
    protected Engine engine() {
        return Sdk.engine();
    }

    @Override
    protected boolean slow() {
        return true;
    }
}
