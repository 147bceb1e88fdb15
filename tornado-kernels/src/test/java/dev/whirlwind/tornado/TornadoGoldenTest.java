package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import org.junit.jupiter.api.BeforeAll;

class TornadoGoldenTest extends GoldenContract {
    @BeforeAll
    static void needsDevice() {
        Sdk.assumeDevice();
    }

    @Override
    Engine engine() {
        return Sdk.engine();
    }
}
