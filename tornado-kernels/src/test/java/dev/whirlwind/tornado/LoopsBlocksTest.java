package dev.whirlwind.tornado;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Format;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.WeightFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class LoopsBlocksTest extends BlocksContract {
    @Override
    Engine engine(Precision precision) {
        return new LoopsEngine(precision);
    }

    @ParameterizedTest
    @CsvSource({"INT8, FP32", "NF4, FP32", "NF4, BF16"})
    void models(WeightFormat format, Precision precision) {
        modelsComputeAsFloats(format, precision, 0);
    }

    @ParameterizedTest
    @EnumSource(names = {"INT8", "NF4"})
    void products(Format format) {
        productsComputeAsFloats(format, Precision.FP32, 192, 200, 0);
    }

    @Test
    void moments() {
        momentsComputeAsFloats(10_310, 3, true);
    }
}
