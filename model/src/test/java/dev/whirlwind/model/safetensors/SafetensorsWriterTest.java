package dev.whirlwind.model.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.weights.WeightFiles;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SafetensorsWriterTest {
    @TempDir
    Path folder;

    /** Any F32 bits, signalling NaNs included, more than one chunk of them, from the middle of a segment. */
    @Test
    void keepsEveryBitOfF32() {
        int count = (1 << 18) + 77;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment floats = arena.allocate(ValueLayout.JAVA_INT, count + 5);
            Random random = new Random();
            for (int i = 0; i < count + 5; i++) {
                floats.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt());
            }
            floats.setAtIndex(ValueLayout.JAVA_INT, 7, 0x7f80_0001);
            MemorySegment read = roundTrip(arena, DType.F32, count, FloatSource.of(floats, 5));
            assertThat(read.mismatch(floats.asSlice(20))).isEqualTo(-1);
        }
    }

    /** Each of the 65536 values of a 16-bit type survives widening and narrowing; NaN stays NaN. */
    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16"})
    void keepsEvery16BitValue(DType dtype) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment all = arena.allocate(ValueLayout.JAVA_SHORT, 1 << 16);
            for (int i = 0; i < 1 << 16; i++) {
                all.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) i);
            }
            MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, 1 << 16);
            Conversion.widen(dtype, all, 0, floats, 0, 1 << 16);
            MemorySegment back = arena.allocate(ValueLayout.JAVA_SHORT, 1 << 16);
            Conversion.narrow(floats, dtype, back, 1 << 16);
            for (int i = 0; i < 1 << 16; i++) {
                short actual = back.getAtIndex(ValueLayout.JAVA_SHORT, i);
                if (Float.isNaN(floats.getAtIndex(ValueLayout.JAVA_FLOAT, i))) {
                    assertThat(Float.isNaN(widened(dtype, actual))).isTrue();
                } else {
                    assertThat(actual).isEqualTo((short) i);
                }
            }
        }
    }

    /** Between two neighbouring 16-bit values the middle goes to the even one, anything else to the nearer. */
    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16"})
    void roundsToNearestEven(DType dtype) {
        int infinity = dtype == DType.F16 ? 0x7c00 : 0x7f80;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, 6L * infinity);
            int[] expected = new int[6 * infinity];
            for (int low = 0; low < infinity; low++) {
                // What would be the next value if the exponent went on stands for infinity.
                double above = low + 1 < infinity
                        ? widened(dtype, (short) (low + 1))
                        : 2.0 * widened(dtype, (short) low) - widened(dtype, (short) (low - 1));
                float middle = (float) ((widened(dtype, (short) low) + above) / 2);
                for (int sign = 0; sign < 2; sign++) {
                    float[] values = {Math.nextDown(middle), middle, Math.nextUp(middle)};
                    int[] nearest = {low, low + (low & 1), low + 1};
                    for (int i = 0; i < 3; i++) {
                        int at = 6 * low + 3 * sign + i;
                        floats.setAtIndex(ValueLayout.JAVA_FLOAT, at, sign == 0 ? values[i] : -values[i]);
                        expected[at] = nearest[i] | sign << 15;
                    }
                }
            }
            MemorySegment actual = arena.allocate(ValueLayout.JAVA_SHORT, expected.length);
            Conversion.narrow(floats, dtype, actual, expected.length);
            for (int i = 0; i < expected.length; i++) {
                assertThat(actual.getAtIndex(ValueLayout.JAVA_SHORT, i) & 0xffff)
                        .as("%s", floats.getAtIndex(ValueLayout.JAVA_FLOAT, i))
                        .isEqualTo(expected[i]);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16", "F32", "F64"})
    void roundTripsEdgeValues(DType dtype) {
        float[] values = {
            0f,
            -0f,
            1f,
            -2.5f,
            Float.POSITIVE_INFINITY,
            Float.NEGATIVE_INFINITY,
            Float.NaN,
            Float.MAX_VALUE,
            Float.MIN_VALUE,
            -Float.MIN_NORMAL,
            65504f,
            65520f,
            6e-8f,
            1f / 3
        };
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment floats = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
            float[] read = roundTrip(arena, dtype, values.length, FloatSource.of(floats, 0))
                    .toArray(ValueLayout.JAVA_FLOAT);
            switch (dtype) {
                case F16 ->
                    assertThat(read)
                            .containsExactly(
                                    0f,
                                    -0f,
                                    1f,
                                    -2.5f,
                                    Float.POSITIVE_INFINITY,
                                    Float.NEGATIVE_INFINITY,
                                    Float.NaN,
                                    Float.POSITIVE_INFINITY,
                                    0f,
                                    -0f,
                                    65504f,
                                    Float.POSITIVE_INFINITY,
                                    0x1p-24f,
                                    0x1.554p-2f);
                case BF16 ->
                    assertThat(read)
                            .containsExactly(
                                    0f,
                                    -0f,
                                    1f,
                                    -2.5f,
                                    Float.POSITIVE_INFINITY,
                                    Float.NEGATIVE_INFINITY,
                                    Float.NaN,
                                    Float.POSITIVE_INFINITY,
                                    0f,
                                    -Float.MIN_NORMAL,
                                    65536f,
                                    65536f,
                                    0x1.02p-24f,
                                    0x1.56p-2f);
                default -> assertThat(read).containsExactly(values);
            }
        }
    }

    /** A transposed view goes out piece by piece: the callback sees all elements once, in order, in any pieces. */
    @Test
    void writesWhatACallbackComputes() {
        int rows = 701;
        int columns = 877;
        List<Long> starts = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            FloatSource transposed = (first, count, chunk) -> {
                starts.add(first);
                for (int i = 0; i < count; i++) {
                    long row = (first + i) / rows;
                    long column = (first + i) % rows;
                    chunk.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (column * columns + row));
                }
            };
            MemorySegment read = roundTrip(arena, DType.F64, rows * columns, transposed);
            for (int i = 0; i < rows * columns; i++) {
                assertThat(read.getAtIndex(ValueLayout.JAVA_FLOAT, i))
                        .isEqualTo((float) (i % rows * columns + i / rows));
            }
            assertThat(starts).hasSizeGreaterThan(1).isSorted().doesNotHaveDuplicates();
        }
    }

    @Test
    void ordersAndPads() throws Exception {
        Path file = folder.resolve("t.safetensors");
        SafetensorsWriter.write(
                file,
                List.of(
                        zeros("h", DType.F16, 1),
                        zeros("b", DType.F32, 2),
                        zeros("a", DType.F32),
                        zeros("é", DType.F64, 0)),
                Map.of());
        try (SafetensorsFile read = SafetensorsFile.open(file)) {
            assertThat(read.tensors().keySet()).containsExactly("é", "a", "b", "h");
            assertThat(read.tensor("a").shape()).isEmpty();
            assertThat(read.tensor("b").begin()).isEqualTo(4);
            assertThat(read.metadata()).isEmpty();
        }
        byte[] bytes = Files.readAllBytes(file);
        assertThat(bytes[0] % 8).isZero();
        assertThat(new String(bytes, 8, 4, StandardCharsets.UTF_8)).isEqualTo("{\"é");
    }

    @Test
    void splitsByBytes() {
        List<SafetensorsWriter.Entry> entries = List.of(
                zeros("a", DType.F16, 3),
                zeros("big", DType.F32, 9),
                zeros("b", DType.F32, 1),
                zeros("c", DType.F32, 1));
        List<Path> files = SafetensorsWriter.writeModel(folder, entries, Map.of(), 10);
        assertThat(files).hasSize(4);
        // Always in this order, so that the same run writes the same bytes.
        assertThat(files.getLast())
                .content()
                .containsSubsequence("metadata", "weight_map", "\"a\"", "\"big\"", "\"c\"");
        try (WeightFiles model = WeightFiles.open(folder)) {
            assertThat(model.names()).containsExactly("big", "b", "a", "c");
            assertThat(model.file("a")).isSameAs(model.file("b")).isNotSameAs(model.file("c"));
        }
        assertThat(SafetensorsWriter.writeModel(folder, entries, Map.of(), 50))
                .containsExactly(folder.resolve("model.safetensors"));
    }

    @Test
    void refusesEntriesThatCannotBeWritten() {
        assertThatThrownBy(() -> zeros("w", DType.I64, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> zeros("__metadata__", DType.F32, 1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> zeros("w", DType.F32, -1)).isInstanceOf(IllegalArgumentException.class);
        List<SafetensorsWriter.Entry> twice = List.of(zeros("w", DType.F32, 1), zeros("w", DType.F32, 2));
        Path file = folder.resolve("t.safetensors");
        assertThatThrownBy(() -> SafetensorsWriter.write(file, twice, Map.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("two tensors named w");
        assertThatThrownBy(() -> SafetensorsWriter.writeModel(folder, twice, Map.of(), 9))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void replacesAFileWithoutTouchingItsReaders() throws Exception {
        Path file = folder.resolve("t.safetensors");
        SafetensorsWriter.write(file, List.of(zeros("old", DType.F32, 100_000)), Map.of());
        try (SafetensorsFile old = SafetensorsFile.open(file)) {
            SafetensorsWriter.write(file, List.of(zeros("new", DType.F32, 1)), Map.of());
            assertThat(old.data("old").get(ValueLayout.JAVA_BYTE, 399_999)).isZero();
        }
        try (SafetensorsFile read = SafetensorsFile.open(file)) {
            assertThat(read.tensors()).containsOnlyKeys("new");
        }
    }

    @Test
    void leavesNothingHalfWritten() {
        Path file = folder.resolve("t.safetensors");
        SafetensorsWriter.Entry failing =
                new SafetensorsWriter.Entry("w", DType.F32, List.of(1L << 20), (first, _, _) -> {
                    if (first > 0) {
                        throw new IllegalStateException("source failed");
                    }
                });
        assertThatThrownBy(() -> SafetensorsWriter.write(file, List.of(failing), Map.of()))
                .hasMessage("source failed");
        assertThat(file).doesNotExist();
    }

    @Test
    void namesTheFileThatCannotBeWritten() {
        Path file = folder.resolve("absent/t.safetensors");
        assertThatThrownBy(() -> SafetensorsWriter.write(file, List.of(zeros("w", DType.F32, 1)), Map.of()))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll(file.toString(), "no such file or folder");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void reportsAFullDisk() {
        Path full = Path.of("/dev/full");
        assertThatThrownBy(() -> SafetensorsWriter.write(full, List.of(zeros("w", DType.F32, 1)), Map.of()))
                .isInstanceOf(UserException.class)
                .hasMessageContainingAll("/dev/full", "No space left on device", "free some space");
        assertThat(full).exists();
    }

    private MemorySegment roundTrip(Arena arena, DType dtype, int count, FloatSource values) {
        Path file = folder.resolve("t.safetensors");
        SafetensorsWriter.write(
                file,
                List.of(new SafetensorsWriter.Entry("w", dtype, List.of((long) count), values)),
                SafetensorsWriter.PYTORCH);
        try (SafetensorsFile read = SafetensorsFile.open(file)) {
            assertThat(read.tensor("w").dtype()).isEqualTo(dtype);
            assertThat(read.metadata()).isEqualTo(Map.of("format", "pt"));
            MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, count);
            read.readFloats("w", floats, 0);
            return floats;
        }
    }

    private static SafetensorsWriter.Entry zeros(String name, DType dtype, long... shape) {
        List<Long> dimensions = Arrays.stream(shape).boxed().toList();
        return new SafetensorsWriter.Entry(name, dtype, dimensions, (_, _, chunk) -> chunk.fill((byte) 0));
    }

    // Both are checked against PyTorch in GoldenFilesTest.
    private static float widened(DType dtype, short bits) {
        return dtype == DType.F16 ? Float.float16ToFloat(bits) : Float.intBitsToFloat(bits << 16);
    }
}
