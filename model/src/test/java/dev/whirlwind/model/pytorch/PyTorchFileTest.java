package dev.whirlwind.model.pytorch;

import static dev.whirlwind.model.pytorch.Torch.dict;
import static dev.whirlwind.model.pytorch.Torch.littleEndian;
import static dev.whirlwind.model.pytorch.Torch.string;
import static dev.whirlwind.model.pytorch.Torch.tensor;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.model.UserException;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.weights.TensorFile;
import dev.whirlwind.model.weights.WeightFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The files under resources were written by torch 2.13. */
class PyTorchFileTest {
    private static final float[] EIGHTHS = floats(12, i -> i / 8f - 0.5f);
    private static final long[] FOUR = {4};
    private static final long[] ONE = {1};

    private interface Value {
        float at(int i);
    }

    @TempDir
    Path folder;

    private static float[] floats(int count, Value value) {
        float[] floats = new float[count];
        for (int i = 0; i < count; i++) {
            floats[i] = value.at(i);
        }
        return floats;
    }

    private static Path resource(String name) throws URISyntaxException {
        return Path.of(PyTorchFileTest.class.getResource("/pytorch/" + name).toURI());
    }

    private static float[] read(TensorFile file, String name) {
        return read(file, name, 0, (int) file.elements(name));
    }

    private static float[] read(TensorFile file, String name, int first, int count) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment floats = arena.allocate(4L * count + 4, 4);
            file.readFloats(name, first, count, floats, 1);
            return floats.asSlice(4).toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    private Path written(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("pytorch_model.bin"), bytes);
    }

    private void assertRefused(byte[] bytes, String... parts) throws IOException {
        assertRefused(written(bytes), parts);
    }

    private static void assertRefused(Path file, String... parts) {
        assertThatThrownBy(() -> PyTorchFile.open(file).close())
                .isInstanceOf(UserException.class)
                .hasMessageStartingWith(file + ": ")
                .hasMessageContainingAll(parts)
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n").hasSizeLessThan(600));
    }

    @Test
    void readsEveryTypeOfFloats() throws Exception {
        try (TensorFile file = PyTorchFile.open(resource("types.bin"))) {
            assertThat(file.names())
                    .containsExactly("f32", "f16", "bf16", "f64", "ids", "mask", "small", "bytes", "scalar", "empty");
            List<DType> types = List.of(DType.F32, DType.F16, DType.BF16, DType.F64);
            for (DType type : types) {
                String name = type.name().toLowerCase(Locale.ROOT);
                assertThat(file.dtype(name)).isEqualTo(type);
                assertThat(file.shape(name)).containsExactly(3L, 4L);
                assertThat(read(file, name)).containsExactly(EIGHTHS);
                assertThat(read(file, name, 3, 5)).containsExactly(Arrays.copyOfRange(EIGHTHS, 3, 8));
            }
            assertThat(file.shape("scalar")).isEmpty();
            assertThat(read(file, "scalar")).containsExactly(2.5f);
            assertThat(read(file, "empty")).isEmpty();
            assertThat(List.of(file.dtype("ids"), file.dtype("mask"), file.dtype("small"), file.dtype("bytes")))
                    .containsExactly(DType.I64, DType.BOOL, DType.I32, DType.U8);
            assertThatThrownBy(() -> read(file, "ids"))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("tensor 'ids' is I64, which cannot be read as floats");
            assertThatThrownBy(() -> file.dtype("other"))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("has no tensor 'other'");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"views.bin", "views-legacy.bin", "views-protocol4.bin", "views-protocol5.bin"})
    void readsViewsThatShareStorages(String name) throws Exception {
        try (TensorFile file = PyTorchFile.open(resource(name))) {
            float[] whole = floats(24, i -> i);
            float[] reversed = floats(24, i -> i / 6 + i / 2 % 3 * 4 + i % 2 * 12);
            assertThat(read(file, "whole")).containsExactly(whole);
            assertThat(read(file, "again")).containsExactly(whole);
            assertThat(file.shape("transposed")).containsExactly(4L, 3L, 2L);
            assertThat(read(file, "transposed")).containsExactly(reversed);
            assertThat(read(file, "half")).containsExactly(reversed);
            assertThat(read(file, "permuted")).containsExactly(floats(24, i -> i / 2 + i % 2 * 12));
            assertThat(read(file, "double")).containsExactly(floats(24, i -> i / 12 * 12 + i / 3 % 4 + i % 3 * 4));
            assertThat(read(file, "row")).containsExactly(floats(12, i -> 12 + i));
            assertThat(read(file, "column")).containsExactly(floats(6, i -> 1 + 4 * i));
            assertThat(read(file, "steps")).containsExactly(floats(6, i -> 2 * i));
            assertThat(read(file, "expanded")).containsExactly(floats(12, i -> i % 4));
            for (int first = 0; first < 24; first++) {
                assertThat(read(file, "transposed", first, 24 - first))
                        .containsExactly(Arrays.copyOfRange(reversed, first, 24));
            }
        }
    }

    /** A matrix that is larger than what is gathered at a time. */
    @Test
    void readsLargeTransposedTensors() throws Exception {
        byte[] bytes =
                Torch.zip(dict("w", tensor("0", 90_000, 0, new long[] {300, 300}, new long[] {1, 300})), 360_000);
        try (TensorFile before = PyTorchFile.open(written(bytes))) {
            assertThat(read(before, "w")).containsOnly(0f);
        }
        // Element 299 of row 1 is the storage's 299 * 300 + 1.
        int start = start(bytes);
        bytes[start + 4 * (299 * 300 + 1) + 3] = 0x40;
        Files.delete(folder.resolve("pytorch_model.bin"));
        try (TensorFile file = PyTorchFile.open(written(bytes))) {
            float[] values = read(file, "w");
            assertThat(IntStream.range(0, values.length).filter(i -> values[i] != 0))
                    .containsExactly(300 + 299);
            assertThat(values[300 + 299]).isEqualTo(2f);
        }
    }

    @Test
    void readsEmptyTensorsThatBeginBeyondTheirStorage() throws Exception {
        String pickle = dict("w", tensor("0", 4, Long.MAX_VALUE, new long[] {0}, ONE));
        try (TensorFile file = PyTorchFile.open(written(Torch.zip(pickle, 16)))) {
            assertThat(read(file, "w")).isEmpty();
        }
    }

    private static int start(byte[] zip) {
        String text = new String(zip, StandardCharsets.ISO_8859_1);
        return text.indexOf("archive/data/0") + "archive/data/0".length();
    }

    @ParameterizedTest
    @ValueSource(strings = {"parameters.bin", "statedict.bin"})
    void readsParametersAndStateDicts(String name) throws Exception {
        try (TensorFile file = PyTorchFile.open(resource(name))) {
            assertThat(file.names()).containsExactly("weight", "bias");
            assertThat(read(file, "weight")).containsExactly(EIGHTHS);
            assertThat(read(file, "bias")).containsExactly(1.5f, 1.5f, 1.5f);
        }
    }

    @Test
    void readsShardsByTheirIndex() throws Exception {
        try (WeightFiles files = WeightFiles.open(resource("sharded"))) {
            assertThat(files.names()).containsExactly("a", "b", "c");
            assertThat(read(files.file("a"), "a")).containsExactly(EIGHTHS);
            assertThat(read(files.file("b"), "b")).containsExactly(floats(12, i -> EIGHTHS[i / 3 + i % 3 * 4]));
            assertThat(read(files.file("c"), "c")).containsExactly(Arrays.copyOf(EIGHTHS, 4));
        }
    }

    @Test
    void namesWhatIsNotAStateDict() throws Exception {
        assertRefused(resource("nested.bin"), "holds 'epoch', 'state_dict', 'lr', where", "state_dict() alone");
        assertRefused(resource("dataparallel.bin"), "'module.weight'", "DataParallel", "model.module.state_dict()");
        assertRefused(resource("module.bin"), "wants to call torch.nn.modules.linear.Linear");
        assertRefused(Torch.bytes("\u0080\u0002K\u0001."), "is not a file of torch.save");
        assertRefused(Torch.zip("\u0080\u0002].", 0), "something other than a dict");
        assertRefused(Torch.bytes("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "Git LFS pointer");
        assertRefused(new byte[0], "ends too early");
        assertThat(folder.resolve("none.bin")).satisfies(file -> assertRefused(file, "no such file"));
    }

    static List<Arguments> hostile() {
        String os = "wants to call os.system, which a file of weights has no need to; nothing of it was run";
        long large = 1L << 62;
        return List.of(
                Arguments.of("\u0080\u0002cos\nsystem\n" + string("touch x") + "\u0085R.", os),
                Arguments.of("(" + string("touch x") + "ios\nsystem\n.", os),
                Arguments.of("\u0080\u0004\u008c\u0002os\u008c\u0006system\u0093.", os),
                Arguments.of(
                        "\u0080\u0004\u008c\u0008builtins\u008c\u0004eval\u0093" + string("1") + "\u0085R.",
                        "builtins.eval"),
                Arguments.of("ctorch._utils\n_rebuild_tensor_v2\nos\n.", "instruction 0x6f"),
                Arguments.of("ctorch\nload\n" + string("x") + "\u0085R.", "torch.load"),
                Arguments.of("ctorch\nFloatStorage\n)\u0081.", "instruction 0x81"),
                Arguments.of("\u0082\u0001.", "instruction 0x82"),
                Arguments.of("Pid\n.", "instruction 0x50"),
                Arguments.of("cos\u001b[31m\nsys\ntem\n.", "wants to call os [31m.sys"),
                Arguments.of("c" + "x".repeat(5000) + "\ny\n.", "wants to call xxx"),
                Arguments.of("c" + "x".repeat(70_000) + "\ny\n.", "too long for a name"),
                Arguments.of(string("os") + ")R.", "calls something that is not a function"),
                Arguments.of("ctorch\nFloatStorage\n)R.", "calls torch.FloatStorage with other arguments"),
                Arguments.of("ccollections\nOrderedDict\n(KKtR.", "with other arguments"),
                Arguments.of("(".repeat(1_000_000) + ".", "takes more than there is"),
                Arguments.of("](".repeat(600_000) + ".", "more than 1048576 instructions"),
                Arguments.of("]".repeat(2_000_000) + ".", "more than 1048576 instructions"),
                Arguments.of(")" + "\u0085".repeat(900_000) + ".", "something other than a dict"),
                // Each tuple holds the last one twice: 2^200 elements to whoever would go through them.
                Arguments.of(
                        ")" + "q\u0000h\u0000\u0086".repeat(200) + "q\u0000}h\u0000h\u0000s.",
                        "keys that are not names"),
                Arguments.of(dict("w", ")" + "q\u0000h\u0000\u0086".repeat(200)), "holds 'w', where"),
                Arguments.of("]q\u0000h\u0000a}" + string("a") + "h\u0000s.", "holds 'a', where"),
                Arguments.of("\u008d" + littleEndian(Long.MAX_VALUE, 8) + "x.", "string of 9223372036854775807 bytes"),
                Arguments.of("\u008d" + littleEndian(-1, 8) + "x.", "string of 18446744073709551615 bytes"),
                Arguments.of("X\u00ff\u00ff\u00ff\u00ffx.", "string of 4294967295 bytes"),
                Arguments.of("X\u00ff\u00ff\u0000\u0000x.", "ends too early"),
                Arguments.of("\u008c\u0001\u00ff.", "not UTF-8"),
                Arguments.of("\u0095" + littleEndian(5, 8), "ends too early"),
                Arguments.of("\u0080\u0006}.", "protocol after 5"),
                Arguments.of("h\u0007.", "was not there before"),
                Arguments.of("}(u", "ends too early"),
                Arguments.of("}(K\u0001u.", "something other than pairs"),
                Arguments.of("}K\u0001a.", "something other than a list"),
                Arguments.of("]Nb.", "gives attributes"),
                Arguments.of("}(.", "takes more than there is"),
                Arguments.of("\u0085.", "takes more than there is"),
                Arguments.of("K\u0001Q.", "other than a storage"),
                Arguments.of(
                        dict("w", tensor("../../etc/passwd", 4, 0, FOUR, ONE)), "has no storage '../../etc/passwd'"),
                Arguments.of(dict("w", tensor("1", 4, 0, FOUR, ONE)), "has no storage '1'"),
                Arguments.of(dict("w", tensor("0", 5, 0, FOUR, ONE)), "should have 5 elements, but ends before"),
                Arguments.of(dict("w", tensor("0", large, 0, FOUR, ONE)), "should have " + large),
                Arguments.of(dict("w", tensor("0", -1, 0, FOUR, ONE)), "other than a storage"),
                Arguments.of(dict("w", tensor("0", 4, 1, FOUR, ONE)), "reaches to element 4 of storage"),
                Arguments.of(dict("w", tensor("0", 4, -1, FOUR, ONE)), "reaches to element 2"),
                Arguments.of(dict("w", tensor("0", 4, 0, new long[] {5}, ONE)), "reaches to element 4"),
                Arguments.of(dict("w", tensor("0", 4, 0, new long[] {2}, FOUR)), "reaches to element 4"),
                Arguments.of(dict("w", tensor("0", 4, 0, new long[] {-4}, ONE)), "negative size"),
                Arguments.of(dict("w", tensor("0", 4, 3, FOUR, new long[] {-1})), "negative size or stride"),
                Arguments.of(dict("w", tensor("0", 4, 0, new long[] {2, 2}, ONE)), "2 sizes, but 1 strides"),
                Arguments.of(dict("w", tensor("0", 4, 0, new long[] {large, 4}, new long[] {0, 0})), "too large"),
                Arguments.of(dict("w", tensor("0", 4, 0, new long[] {3, large}, new long[] {large, 4})), "too large"),
                Arguments.of(dict("w", tensor("0", 4, Long.MAX_VALUE, FOUR, ONE)), "too large"),
                Arguments.of(dict("w", tensor("0", 4, 0, new long[] {1L << 40}, new long[] {0})), "more elements than"),
                Arguments.of(
                        "\u0080\u0002}(" + string("a") + tensor("0", 4, 0, FOUR, ONE) + string("b")
                                + tensor("0", 3, 0, ONE, ONE) + "u.",
                        "two things of the storage '0'"));
    }

    @ParameterizedTest
    @MethodSource("hostile")
    void runsNothingAndReadsNothingElse(String pickle, String problem) throws Exception {
        assertRefused(Torch.zip(pickle, 16), problem);
    }

    @Test
    void refusesPicklesWithoutAnArchive() throws Exception {
        assertRefused(Torch.bytes("cos\nsystem\n" + string("touch x") + "\u0085R."), "wants to call os.system");
    }

    @ParameterizedTest
    @ValueSource(strings = {"views.bin", "views-legacy.bin", "types.bin"})
    void refusesFilesThatWereCut(String name) throws Exception {
        byte[] bytes = Files.readAllBytes(resource(name));
        for (int length = 0; length < bytes.length; length++) {
            Files.deleteIfExists(folder.resolve("pytorch_model.bin"));
            assertRefused(Arrays.copyOf(bytes, length), "damaged or incomplete");
        }
    }

    @Test
    void refusesOtherArchives() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            Torch.entry(zip, "archive/byteorder", Torch.bytes("big"));
        }
        assertRefused(bytes.toByteArray(), "big-endian");
        bytes.reset();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            Torch.entry(zip, "archive/readme", Torch.bytes("x"));
        }
        assertRefused(bytes.toByteArray(), "without a data.pkl");
        bytes.reset();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry("archive/data.pkl"));
            zip.write(Torch.bytes("}."));
            zip.closeEntry();
        }
        assertRefused(bytes.toByteArray(), "'archive/data.pkl' is compressed");
    }
}
