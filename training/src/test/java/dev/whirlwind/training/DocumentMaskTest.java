package dev.whirlwind.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.whirlwind.data.ShuffledSequences;
import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.checkpoints.Manifest;
import dev.whirlwind.training.checkpoints.TrainerState;
import dev.whirlwind.training.config.TrainConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A sequence of documents that are read apart is each of them by itself. */
class DocumentMaskTest {
    private static final int SEPARATOR = 29;
    private static final int BATCH = 2;
    private static final int SEQUENCE = 90;

    private static final Map<String, String> MODELS = Map.of("gpt2", """
            {"model_type": "gpt2", "vocab_size": 30, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 90,
             "initializer_range": 0.3, "embd_pdrop": 0, "attn_pdrop": 0, "resid_pdrop": 0}""", "qwen3", """
            {"model_type": "qwen3", "vocab_size": 30, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "max_position_embeddings": 90,
             "initializer_range": 0.3, "tie_word_embeddings": false}""", "mistral", """
            {"model_type": "mistral", "vocab_size": 30, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 90, "sliding_window": 7,
             "initializer_range": 0.3}""");

    @TempDir
    Path folder;

    private record Passed(List<Float> losses, List<Float> gradients) {}

    private static Parameters weights(Engine engine, String model) {
        ModelConfig config = ModelConfig.parse(MODELS.get(model).getBytes(StandardCharsets.UTF_8), "test");
        Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
        Initializer.initialize(weights, 3);
        weights.upload();
        return weights;
    }

    /** Of one document, in one pass of its own. */
    private static Passed alone(String model, int[] tokens, int[] targets) {
        try (Engine engine = TinyRun.engine()) {
            Transformer transformer = Transformer.forTraining(engine, weights(engine, model), 1, tokens.length, false);
            return pass(transformer, tokens, targets);
        }
    }

    private static Passed pass(Transformer transformer, int[] tokens, int[] targets) {
        System.arraycopy(tokens, 0, transformer.inputs().tokens, 0, tokens.length);
        System.arraycopy(targets, 0, transformer.inputs().targets, 0, tokens.length);
        transformer.forwardBackward();
        List<Float> losses = floats(transformer.nll(), tokens.length);
        transformer.gradients().download();
        Parameters gradients = transformer.gradients();
        return new Passed(losses, floats(gradients.buffer().segment(), gradients.length()));
    }

    private static List<Float> floats(MemorySegment segment, long count) {
        List<Float> floats = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            floats.add(segment.getAtIndex(ValueLayout.JAVA_FLOAT, i));
        }
        return floats;
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "qwen3", "mistral"})
    void documentsAreReadApart(String model) {
        Random random = new Random(model.hashCode());
        int[] tokens = new int[BATCH * SEQUENCE];
        int[] targets = new int[tokens.length];
        for (int i = 0; i < tokens.length; i++) {
            // One document of 70 tokens, others of a few, and empty ones.
            boolean ends = i >= 70 && (i < SEQUENCE ? random.nextInt(3) == 0 : random.nextInt(12) == 0);
            tokens[i] = ends ? SEPARATOR : random.nextInt(SEPARATOR);
            targets[i] = random.nextInt(30);
        }
        Passed packed;
        double evaluated;
        double read;
        try (Engine engine = TinyRun.engine()) {
            Transformer transformer = Transformer.forTraining(engine, weights(engine, model), BATCH, SEQUENCE, false);
            System.arraycopy(tokens, 0, transformer.inputs().tokens, 0, tokens.length);
            System.arraycopy(targets, 0, transformer.inputs().targets, 0, tokens.length);
            read = transformer.evaluate();
            transformer.maskDocuments(SEPARATOR);
            packed = pass(transformer, tokens, targets);
            evaluated = transformer.evaluate();
        }
        float[] gradients = new float[packed.gradients.size()];
        int documents = 0;
        for (int start = 0, i = 0; i < tokens.length; i++) {
            if (tokens[i] == SEPARATOR || (i + 1) % SEQUENCE == 0) {
                int[] own = Arrays.copyOfRange(tokens, start, i + 1);
                Passed alone = alone(model, own, Arrays.copyOfRange(targets, start, i + 1));
                for (int t = 0; t < own.length; t++) {
                    assertThat(packed.losses.get(start + t))
                            .as("%s document %d place %d", model, documents, t)
                            .isCloseTo(alone.losses.get(t), within(2e-5f));
                }
                for (int g = 0; g < gradients.length; g++) {
                    gradients[g] += alone.gradients.get(g);
                }
                start = i + 1;
                documents++;
            }
        }
        assertThat(documents).isGreaterThan(8);
        for (int g = 0; g < gradients.length; g++) {
            assertThat(packed.gradients.get(g)).as("%s %d", model, g).isCloseTo(gradients[g], within(2e-3f));
        }
        // An evaluation reads sequences whole, after as before.
        assertThat(evaluated)
                .isEqualTo(read)
                .isNotEqualTo(packed.losses.stream().mapToDouble(loss -> loss).sum());
    }

    /** Text of documents of five letters. */
    private static Trainer.Corpus corpus() {
        int[] tokens = new int[400];
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] = i % 6 == 5 ? new ByteTokenizer().endOfText().id() : (i * 7 + i / 6) % 60;
        }
        SequencedMap<String, TokenSource> heldOut = new LinkedHashMap<>();
        heldOut.put("domain", TokenSource.of("domain", tokens, 100, 256));
        return new Trainer.Corpus(
                new ShuffledSequences(TokenSource.of("domain", tokens, 400, 256), TinyRun.SEQUENCE, 3),
                heldOut,
                new ByteTokenizer());
    }

    private TinyRun.Recorder train(Path model, String out, Map<String, ?> options) {
        TinyRun.Recorder recorder = new TinyRun.Recorder();
        TrainConfig config = TinyRun.config(model, folder.resolve(out), options);
        try (Engine engine = TinyRun.engine();
                Trainer trainer = TinyRun.trainer(engine, config, corpus(), recorder)) {
            trainer.run();
        }
        return recorder;
    }

    @Test
    void modelsWithRotaryPositionsHaveItByThemselves() throws IOException {
        Path llama = TinyRun.llama(folder.resolve("llama"), weights -> {});
        assertThat(train(llama, "auto", Map.of()).notes)
                .contains("documents of a sequence are read apart (document_mask: auto)");
        assertThat(train(llama, "on", Map.of("document_mask", "on")).notes).isEmpty();
        assertThat(train(llama, "off", Map.of("document_mask", "off")).notes).isEmpty();
        Path auto = folder.resolve("auto/final/model.safetensors");
        assertThat(auto).hasSameBinaryContentAs(folder.resolve("on/final/model.safetensors"));
        assertThat(Files.mismatch(auto, folder.resolve("off/final/model.safetensors")))
                .isNotNegative();
        Path gpt2 = TinyRun.gpt2(folder.resolve("gpt2"), DType.F32);
        assertThat(train(gpt2, "learned", Map.of()).notes).isEmpty();
        train(gpt2, "learned off", Map.of("document_mask", "off"));
        assertThat(folder.resolve("learned/final/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("learned off/final/model.safetensors"));
    }

    /** A run of before goes on as it was. */
    @Test
    void whatWasNotRecordedStaysOff() throws IOException {
        Path llama = TinyRun.llama(folder.resolve("llama"), weights -> {});
        train(llama, "whole", Map.of("document_mask", "off"));
        train(llama, "run", Map.of("document_mask", "off", "steps", 8));
        for (String gone : List.of("step-00000008", "step-00000007", "step-00000006")) {
            try (var files = Files.walk(folder.resolve("run/checkpoints").resolve(gone))) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
        Path state = folder.resolve("run/checkpoints/step-00000005").resolve(TrainerState.NAME);
        byte[] now = Files.readAllBytes(state);
        String before =
                new String(now, StandardCharsets.UTF_8).replaceAll("\"document_mask\" *: *(\"off\"|false),", "");
        assertThat(before).doesNotContain("document_mask").isNotEqualTo(new String(now, StandardCharsets.UTF_8));
        Files.writeString(state, before);
        Path manifest = state.resolveSibling(Manifest.NAME);
        Files.writeString(
                manifest,
                Files.readString(manifest)
                        .replace(sha256(now), sha256(before.getBytes(StandardCharsets.UTF_8)))
                        .replaceAll(":\\s*" + now.length + "\\b", ":" + before.length())
                        .replaceAll(",\\s*\"sha256\"\\s*:\\s*\"[0-9a-f]+\"\\s*}\\s*$", "}"));
        train(llama, "run", Map.of());
        assertThat(folder.resolve("run/final/model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/final/model.safetensors"));
    }

    private static String sha256(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void itNeedsATokenThatEndsDocuments() {
        assertThatThrownBy(() -> TrainConfig.of(Map.of("document_mask", "perhaps"), "test"))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("document_mask is \"perhaps\"; it must be auto, on or off");
    }
}
