package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;

/** The kernels' forms for GPUs, on whatever device there is, against the formulas in double. */
class GpuFormsOpsTest extends TornadoOpsTest {
    @Override
    protected Engine engine() {
        return Sdk.engineForGpus();
    }
}
