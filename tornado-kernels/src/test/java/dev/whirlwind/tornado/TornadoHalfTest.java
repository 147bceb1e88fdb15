package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;
import org.junit.jupiter.api.BeforeAll;

class TornadoHalfTest extends HalfContract {
    @BeforeAll
    static void needsDevice() {
        Sdk.assumeDevice();
    }

    @Override
    Engine engine(Precision precision) {
        return Sdk.engine(precision);
    }
}
