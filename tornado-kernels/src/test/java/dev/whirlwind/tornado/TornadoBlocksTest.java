package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Precision;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TornadoBlocksTest extends BlocksContract {
    @Override
    Engine engine(Precision precision) {
        return Sdk.engine(precision);
    }

    @ParameterizedTest
    @EnumSource(names = {"INT8", "NF4"})
    void products(Format format) {
        productsComputeAsFloats(format, Precision.FP32, 192, 200, 1e-6);
    }

    @Test
    void moments() {
        momentsComputeAsFloats(10_310, 3, false);
    }
}
