package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Precision;

class LoopsHalfTest extends HalfContract {
    @Override
    Engine engine(Precision precision) {
        return new LoopsEngine(precision);
    }
}
