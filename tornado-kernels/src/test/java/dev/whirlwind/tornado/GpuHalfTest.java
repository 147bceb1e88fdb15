package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;

class GpuHalfTest extends TornadoHalfTest {
    @Override
    Engine engine(Precision precision) {
        return Sdk.engineForGpus(precision);
    }
}
