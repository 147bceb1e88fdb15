package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;

class LoopsGoldenTest extends GoldenContract {
    @Override
    Engine engine() {
        return new LoopsEngine();
    }
}
