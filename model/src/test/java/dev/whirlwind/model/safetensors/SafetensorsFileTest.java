package dev.whirlwind.model.safetensors;

import static dev.whirlwind.model.safetensors.Bytes.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsFileTest {
    private static final String W = tensor("w", "F32", "[1]", 0, 4);

    @TempDir
    Path folder;

    private Path path;

    @BeforeEach
    void name() {
        path = folder.resolve("model.safetensors");
    }

    static Stream<Arguments> malformed() {
        return Stream.of(
                Arguments.of("", 4, "header of 0 bytes"),
                Arguments.of(" {" + W + "}", 4, "does not begin with '{'"),
                Arguments.of("[" + W + "]", 4, "does not begin with '{'"),
                Arguments.of("{" + W, 4, "not valid JSON"),
                Arguments.of("{" + W + "}}", 4, "not valid JSON"),
                Arguments.of("{" + W + "} x", 4, "not valid JSON"),
                Arguments.of("{" + W + "}{}", 4, "goes on after its end"),
                Arguments.of("{" + W + "}\0", 4, "not valid JSON"),
                Arguments.of("{" + W + "," + W + "}", 4, "Duplicate"),
                Arguments.of("{" + W.replace("\"shape\"", "\"dtype\":\"F32\",\"shape\"") + "}", 4, "Duplicate"),
                Arguments.of("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}," + W + "}", 4, "Duplicate"),
                Arguments.of("{\"__metadata__\":{\"a\":1}," + W + "}", 4, "__metadata__ gives 'a'"),
                Arguments.of("{\"__metadata__\":[]," + W + "}", 4, "__metadata__ is not a JSON object"),
                Arguments.of("{\"w\":[\"F32\",[1],[0,4]]}", 4, "tensor 'w' is not described by a JSON object"),
                Arguments.of("{\"\\ud800\":" + W.substring(4) + "}", 4, "not valid Unicode"),
                Arguments.of("{" + W.replace("F32", "F33") + "}", 4, "unknown dtype 'F33'"),
                Arguments.of("{" + W.replace("F32", "f32") + "}", 4, "unknown dtype 'f32'"),
                Arguments.of("{" + W.replace("\"F32\"", "32") + "}", 4, "dtype that is not a string"),
                Arguments.of("{" + W.replace("\"dtype\":\"F32\",", "") + "}", 4, "has no dtype"),
                Arguments.of("{" + W.replace("\"shape\":[1],", "") + "}", 4, "has no shape"),
                Arguments.of("{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "has no data_offsets"),
                Arguments.of("{" + W.replace("\"shape\"", "\"x\":{\"y\":[]},\"shape\"") + "}", 4, "unknown field 'x'"),
                Arguments.of("{" + W.replace("[1]", "1") + "}", 4, "shape that is not an array"),
                Arguments.of("{" + W.replace("[1]", "[1.0]") + "}", 4, "other than whole numbers in its shape"),
                Arguments.of("{" + W.replace("[1]", "[null]") + "}", 4, "other than whole numbers in its shape"),
                Arguments.of("{" + W.replace("[1]", "[[1]]") + "}", 4, "other than whole numbers in its shape"),
                Arguments.of("{" + W.replace("[1]", "[-1]") + "}", 4, "negative number in its shape"),
                Arguments.of("{" + W.replace("[1]", "[9223372036854775808]") + "}", 4, "too large"),
                Arguments.of("{" + W.replace("[1]", "[4294967296,4294967296]") + "}", 4, "shape too large"),
                Arguments.of("{" + W.replace("[1]", "[2305843009213693953]") + "}", 4, "shape too large"),
                Arguments.of("{" + W.replace("[1]", "[4611686018427387904,4,0]") + "}", 4, "shape too large"),
                Arguments.of("{" + W.replace("[0,4]", "[-4,0]") + "}", 4, "negative number in its data_offsets"),
                Arguments.of("{" + W.replace("[0,4]", "[0]") + "}", 4, "has 1 data_offsets instead of 2"),
                Arguments.of("{" + W.replace("[0,4]", "[0,4,4]") + "}", 4, "has 3 data_offsets instead of 2"),
                Arguments.of("{" + W.replace("[0,4]", "[4,0]") + "}", 4, "ends at byte 0, before it begins at 4"),
                Arguments.of("{" + W.replace("[0,4]", "[0,8]") + "}", 8, "needs 4 bytes, but has 8"),
                Arguments.of("{" + W.replace("[1]", "[2]") + "}", 4, "is F32 [2], which needs 8 bytes, but has 4"),
                Arguments.of("{" + W.replace("[1]", "[]").replace("4]", "0]") + "}", 0, "needs 4 bytes, but has 0"),
                Arguments.of("{" + tensor("w", "F4", "[3]", 0, 2) + "}", 2, "does not fill whole bytes"),
                Arguments.of("{" + tensor("w", "F32", "[1]", 4, 8) + "}", 8, "should start at byte 0"),
                Arguments.of(
                        "{" + W + "," + tensor("v", "F32", "[1]", 2, 6) + "}", 6, "tensor 'v' overlaps tensor 'w'"),
                Arguments.of("{" + W + "," + tensor("v", "F32", "[1]", 0, 4) + "}", 4, "overlaps"),
                Arguments.of(
                        "{" + W + "," + tensor("v", "F32", "[1]", 6, 10) + "}",
                        10,
                        "tensor 'v' leaves a hole of 2 bytes after tensor 'w'"),
                Arguments.of("{" + W + "}", 3, "need 4 bytes of data, but the file holds only 3"),
                Arguments.of("{" + W + "}", 5, "1 bytes follow the last tensor"),
                Arguments.of("{}", 5, "5 bytes follow the last tensor"),
                Arguments.of("{" + W.replace("\"w\"", "\"a\\nb\\u2028\"").replace("[1]", "[]x") + "}", 4, "JSON"),
                Arguments.of("{\"a\\nb\\u2028c\":0}", 4, "tensor 'a b c' is not"));
    }

    @ParameterizedTest
    @MethodSource("malformed")
    void refusesMalformedHeaders(String header, int dataBytes, String problem) throws Exception {
        Bytes.write(path, header, dataBytes);
        assertRefused(problem);
    }

    @Test
    void refusesHeadersThatAreNotUtf8() throws Exception {
        for (int[] bad : new int[][] {{0xff}, {0xc0, 0x80}, {0xed, 0xa0, 0x80}, {0xe2, 0x82}}) {
            byte[] header = ("{" + W.replace("w", "w????????") + "}").getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < bad.length; i++) {
                header[4 + i] = (byte) bad[i];
            }
            Files.write(path, Bytes.file(header, 4));
            assertRefused("not valid UTF-8");
        }
    }

    @Test
    void refusesImpossibleHeaderLengths() throws Exception {
        byte[] good = Bytes.file(("{" + W + "}").getBytes(StandardCharsets.UTF_8), 4);
        for (int i = 3; i < 8; i++) {
            byte[] bad = good.clone();
            bad[i] = (byte) 0x80;
            Files.write(path, bad);
            assertRefused(i == 3 ? "header of 2147" : "where 1 to 100000000 are possible");
        }
        byte[] beyond = good.clone();
        beyond[0] = (byte) (beyond[0] + 5);
        Files.write(path, beyond);
        assertRefused("goes beyond the file's end");
        beyond[2] = 1;
        Files.write(path, beyond);
        assertRefused("goes beyond the file's end");
    }

    @Test
    void refusesEveryTruncation() throws Exception {
        byte[] good = Bytes.file(
                ("{\"__metadata__\":{\"format\":\"pt\"}," + W + "," + tensor("v", "BF16", "[3,1]", 4, 10) + "}   ")
                        .getBytes(StandardCharsets.UTF_8),
                10);
        for (int length = 0; length < good.length; length++) {
            Files.write(path, Arrays.copyOf(good, length));
            assertRefused("download it again");
        }
        Files.write(path, good);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.tensors()).containsOnlyKeys("w", "v");
        }
    }

    /** One wrong byte may leave a file that is valid but different; it must never do anything else than be refused. */
    @Test
    void survivesAnyWrongByte() throws Exception {
        byte[] good = Bytes.file(
                ("{\"__metadata__\":{\"format\":\"pt\"}," + W + "," + tensor("v", "BF16", "[3,1]", 4, 10) + "}   ")
                        .getBytes(StandardCharsets.UTF_8),
                10);
        Random random = new Random();
        int refused = 0;
        int opened = 0;
        for (int i = 0; i < good.length - 10; i++) {
            for (byte wrong : new byte[] {'"', '}', '0', (byte) random.nextInt()}) {
                byte[] bad = good.clone();
                bad[i] = wrong;
                Files.write(path, bad);
                try (SafetensorsFile _ = SafetensorsFile.open(path)) {
                    opened++;
                } catch (UserException e) {
                    assertOneLine(e);
                    refused++;
                }
            }
        }
        assertThat(refused).isGreaterThan(opened);
    }

    @Test
    void refusesWhatIsNoFile() throws Exception {
        assertRefused("no such file");
        Files.createDirectory(path);
        assertRefused("is not a file");
    }

    @Test
    void explainsGitLfsPointers() throws Exception {
        Files.writeString(path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
        assertRefused("git lfs pull");
    }

    @Test
    void acceptsWhatTheFormatAllows() throws Exception {
        Bytes.write(
                path,
                "{" + tensor("b", "F32", "[]", 2, 6) + "," + tensor("z", "F64", "[7,0]", 2, 2) + ","
                        + tensor("é", "F4", "[4]", 0, 2) + "}   ",
                6);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.path()).isEqualTo(path);
            assertThat(file.metadata()).isEmpty();
            assertThat(List.copyOf(file.tensors().values()))
                    .containsExactly(
                            new TensorInfo("é", DType.F4, List.of(4L), 0, 2),
                            new TensorInfo("z", DType.F64, List.of(7L, 0L), 2, 2),
                            new TensorInfo("b", DType.F32, List.of(), 2, 6));
            assertThat(file.tensor("b").elements()).isEqualTo(1);
        }
        Bytes.write(path, "{}", 0);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertThat(file.tensors()).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"F16", "BF16", "F32", "F64"})
    void listsButDoesNotWidenOtherTypes(DType dtype) throws Exception {
        Bytes.write(path, "{" + tensor("w", dtype.name(), "[8]", 0, dtype.bits()) + "}", dtype.bits());
        try (SafetensorsFile file = SafetensorsFile.open(path);
                Arena arena = Arena.ofConfined()) {
            assertThat(file.tensor("w").dtype()).isEqualTo(dtype);
            assertThat(file.data("w").byteSize()).isEqualTo(dtype.bits());
            MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, 8);
            assertThatThrownBy(() -> file.readFloats("w", floats, 0))
                    .isInstanceOf(UserException.class)
                    .hasMessageContainingAll(path.toString(), "tensor 'w' is " + dtype, "convert it");
        }
    }

    @Test
    void readsRangesAndChecksThem() throws Exception {
        Bytes.write(path, "{" + tensor("a", "U8", "[1]", 0, 1) + "," + tensor("w", "BF16", "[2,4]", 1, 17) + "}", 17);
        byte[] bytes = Files.readAllBytes(path);
        for (int i = 0; i < 8; i++) {
            bytes[bytes.length - 15 + 2 * i] = (byte) (0x40 + i);
        }
        Files.write(path, bytes);
        try (SafetensorsFile file = SafetensorsFile.open(path);
                Arena arena = Arena.ofConfined()) {
            MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, 4);
            file.readFloats("w", 3, 2, floats, 1);
            assertThat(floats.toArray(ValueLayout.JAVA_FLOAT))
                    .containsExactly(0, Float.intBitsToFloat(0x4300_0000), Float.intBitsToFloat(0x4400_0000), 0);
            for (long[] range : new long[][] {{7, 2}, {-1, 1}, {0, 9}, {9, 0}, {0, -1}}) {
                assertThatThrownBy(() -> file.readFloats("w", range[0], range[1], floats, 0))
                        .isInstanceOf(IndexOutOfBoundsException.class);
            }
            assertThatThrownBy(() -> file.readFloats("w", 0, 4, floats, 1))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            assertThatThrownBy(() -> file.readFloats("q", floats, 0))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("has no tensor 'q'");
        }
    }

    @Test
    void mappingEndsWithClose() throws Exception {
        Bytes.write(path, "{" + W + "}", 4);
        SafetensorsFile file = SafetensorsFile.open(path);
        MemorySegment data = file.data("w");
        assertThat(data.isReadOnly()).isTrue();
        file.close();
        assertThatThrownBy(() -> data.get(ValueLayout.JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @EnabledOnOs(OS.LINUX)
    @EnumSource(names = {"F16", "BF16", "F32", "F64"})
    void reportsAFileCutShortWhileMapped(DType dtype) throws Exception {
        int elements = 1 << 18;
        int bytes = elements * dtype.bits() / 8;
        Bytes.write(path, "{" + tensor("w", dtype.name(), "[" + elements + "]", 0, bytes) + "}", bytes);
        try (SafetensorsFile file = SafetensorsFile.open(path);
                Arena arena = Arena.ofConfined()) {
            MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, elements);
            try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
                channel.truncate(bytes / 2);
            }
            assertThatThrownBy(() -> file.readFloats("w", floats, 0))
                    .isInstanceOf(UserException.class)
                    .hasMessageContainingAll(path.toString(), "tensor 'w' cannot be read");
        }
    }

    private void assertRefused(String problem) {
        assertThatThrownBy(() -> SafetensorsFile.open(path).close())
                .isInstanceOf(UserException.class)
                .hasMessageContaining(path.toString())
                .hasMessageContaining(problem)
                .satisfies(SafetensorsFileTest::assertOneLine);
    }

    private static void assertOneLine(Throwable e) {
        assertThat(e.getMessage()).doesNotContainPattern("[\\p{Cntrl}\\u2028]").hasSizeLessThan(600);
    }
}
