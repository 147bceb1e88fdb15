package dev.whirlwind.training.distillation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withPrecision;

import dev.whirlwind.data.Preparation;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Objective;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.TinyRun;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TeacherCacheTest {
    private static final int SEQUENCE = TinyRun.SEQUENCE;
    private static final int TOP = 5;
    private static final String IDENTITY = "ab".repeat(32);

    @TempDir
    Path folder;

    private Path model;
    private TokenDataset text;

    @BeforeEach
    void prepare() throws IOException {
        model = TinyRun.llama(folder.resolve("model"), weights -> {});
        text = prepared("text", "A long text, and not the only one.\n".repeat(3));
    }

    private TokenDataset prepared(String name, String content) throws IOException {
        Path file = folder.resolve(name + ".txt");
        Files.writeString(file, content);
        Preparation.Options options = new Preparation.Options(0, 1, 1000, 1, Preparation.OnBadText.STOP);
        Path tokens = folder.resolve(name);
        new Preparation(Corpus.of(List.of(file)), new ByteTokenizer(), options, (_, _, _) -> {}).run(tokens);
        return TokenDataset.open(tokens, TokenDataset.TRAIN, 256);
    }

    /** Batches of four, which do not divide the sequences. */
    private Path teach(TokenDataset of, String out) throws IOException {
        Path to = Files.createDirectories(folder.resolve(out));
        try (Engine engine = TinyRun.engine()) {
            ModelConfig config = ModelConfig.read(model);
            Transformer teacher = Transformer.forEvaluation(
                    engine, HuggingFace.load(engine, model, config, _ -> {}).weights(), 4, SEQUENCE);
            new TeacherCacheWriter(teacher, of, IDENTITY, TOP, 2).write(to, _ -> {});
        }
        return to;
    }

    @Test
    void eachSequenceIsFoundByItsNumber() throws IOException {
        TeacherCache cache = TeacherCache.open(teach(text, "cache"), 256, SEQUENCE, 2);
        long sequences = (text.tokens() - 1) / SEQUENCE;
        try (Engine engine = TinyRun.engine()) {
            ModelConfig config = ModelConfig.read(model);
            Transformer one = Transformer.forTraining(
                    engine, HuggingFace.load(engine, model, config, _ -> {}).weights(), 1, SEQUENCE, false);
            one.trainFor(new Objective(0, 0, 1, 2), new Objective.Kept(TOP));
            Inputs inputs = one.inputs();
            for (long sequence : new long[] {sequences - 1, 0, 3, 4}) {
                text.read(sequence * SEQUENCE, inputs.tokens, 0, SEQUENCE);
                text.read(sequence * SEQUENCE + 1, inputs.targets, 0, SEQUENCE);
                cache.read(sequence, 0, inputs);
                MemorySegment logits = one.logits();
                for (int place = 0; place < SEQUENCE; place++) {
                    TopTokens expected = new TopTokens(TOP, 2);
                    expected.choose(logits.asSlice(4L * 256 * place, 4L * 256).toArray(ValueLayout.JAVA_FLOAT));
                    assertThat(Arrays.copyOfRange(inputs.taughtTokens, place * TOP, (place + 1) * TOP))
                            .isEqualTo(expected.ids());
                    assertThat(Arrays.copyOfRange(
                                    inputs.taughtProbabilities, place * (TOP + 1), (place + 1) * (TOP + 1)))
                            .containsExactly(expected.probabilities(), withPrecision(1e-6f));
                }
                // Who learns from what was kept of itself has nothing to learn.
                one.zeroGradients();
                one.forwardBackward();
                one.gradients().download();
                for (float g : one.gradients().buffer().segment().toArray(ValueLayout.JAVA_FLOAT)) {
                    assertThat(g).isBetween(-1e-4f, 1e-4f);
                }
            }
        }
    }

    @Test
    void whatDoesNotFitTheRunIsRefused() throws IOException {
        Path cache = teach(text, "cache");
        assertThatThrownBy(() -> TeacherCache.open(cache, 256, SEQUENCE, 1))
                .isInstanceOf(UserException.class)
                .hasMessage(cache + ": was made with a temperature of 2.0, the run has 1.0; give --temperature 2.0 (the"
                        + " rest's probability at another cannot be known), or teach again");
        assertThatThrownBy(() -> TeacherCache.open(cache, 256, 8, 2))
                .hasMessage(
                        cache + ": was made with a sequence of 9, the run has 8; give --sequence 9, or teach again");
        assertThatThrownBy(() -> TeacherCache.open(cache, 300, SEQUENCE, 2))
                .hasMessageContaining("a vocabulary of 256");
        assertThatThrownBy(() -> TeacherCache.open(folder, 256, SEQUENCE, 2))
                .hasMessage(folder + ": holds no kept teacher (no teacher.topk); make it with whirlwind teach");

        TokenDataset other = prepared("other", "Something else. ".repeat(9));
        TeacherCache of = TeacherCache.open(cache, 256, SEQUENCE, 2);
        assertThat(TeacherCache.of(text, List.of(of))).isSameAs(of);
        assertThatThrownBy(() -> TeacherCache.of(other, List.of(of)))
                .hasMessageContainingAll("other (train): ", "was made for other tokens");
        TeacherCache second = TeacherCache.open(teach(other, "second"), 256, SEQUENCE, 2);
        assertThat(TeacherCache.of(other, List.of(of, second))).isSameAs(second);
        assertThat(TeacherCache.identity(cache)).isNotEqualTo(TeacherCache.identity(folder.resolve("second")));
    }

    @Test
    void damageIsFoundWhereItIs() throws IOException {
        Path file = teach(text, "cache").resolve("teacher.topk");
        byte[] whole = Files.readAllBytes(file);
        int record = SEQUENCE * (TOP * 2 + (TOP + 1) * 4) + 4;
        assertThat(whole).hasSize((int) (112 + (text.tokens() - 1) / SEQUENCE * record));
        for (int place : new int[] {112 + record + 3, 112 + 2 * record - 1}) {
            byte[] damaged = whole.clone();
            damaged[place] ^= 4;
            Files.write(file, damaged);
            TeacherCache cache = TeacherCache.open(file.getParent(), 256, SEQUENCE, 2);
            Inputs inputs = inputs();
            cache.read(0, 0, inputs);
            assertThatThrownBy(() -> cache.read(1, 0, inputs))
                    .isInstanceOf(UserException.class)
                    .hasMessageContaining("damaged, the record of sequence 1 is not the one that was written");
        }
        byte[] header = whole.clone();
        header[50] ^= 1;
        Files.write(file, header);
        assertThatThrownBy(() -> TeacherCache.open(file.getParent(), 256, SEQUENCE, 2))
                .hasMessageContaining("its header is not the one that was written");
        Files.write(file, Arrays.copyOf(whole, whole.length - 1));
        assertThatThrownBy(() -> TeacherCache.open(file.getParent(), 256, SEQUENCE, 2))
                .hasMessageContaining("bytes where " + whole.length + " were written");
        Files.writeString(file, "something");
        assertThatThrownBy(() -> TeacherCache.open(file.getParent(), 256, SEQUENCE, 2))
                .hasMessageContaining("is not what whirlwind teach has made");
    }

    private Inputs inputs() {
        Inputs inputs = new Inputs(SEQUENCE);
        inputs.taughtTokens = new int[SEQUENCE * TOP];
        inputs.taughtProbabilities = new float[SEQUENCE * (TOP + 1)];
        return inputs;
    }
}
