package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;

class GpuHalfTest extends TornadoHalfTest {
    @Override
    Engine engine(Precision precision) {
        return Sdk.engineForGpus(precision);
    }
}
