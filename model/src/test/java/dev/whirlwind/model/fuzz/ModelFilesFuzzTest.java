package dev.whirlwind.model.fuzz;

import static dev.whirlwind.model.fuzz.Fuzz.utf8;

import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.pytorch.PyTorchFile;
import dev.whirlwind.model.pytorch.Torch;
import dev.whirlwind.model.safetensors.SafetensorsFile;
import dev.whirlwind.model.weights.TensorFile;
import dev.whirlwind.model.weights.WeightFiles;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of a model folder. */
class ModelFilesFuzzTest {
    @TempDir
    Path folder;

    private static byte[] safetensors(String header, int dataBytes) {
        byte[] json = utf8(header);
        return ByteBuffer.allocate(8 + json.length + dataBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length)
                .put(json)
                .array();
    }

    private static final byte[] ONE =
            safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 16);

    private static final byte[] THREE = safetensors(
            "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[16,22]},"
                    + "\"a\":{\"dtype\":\"F16\",\"shape\":[2,4],\"data_offsets\":[0,16]},"
                    + "\"c\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[22,30]}}",
            30);

    @Test
    void safetensors() throws IOException {
        new Fuzz(
                        "safetensors",
                        folder.resolve("model.safetensors"),
                        file -> readAll(SafetensorsFile.open(file)),
                        ONE,
                        THREE)
                .run();
    }

    @Test
    void config() throws IOException {
        new Fuzz(
                        "config",
                        folder.resolve("config.json"),
                        file -> ModelConfig.read(file.getParent()),
                        utf8("""
                                {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 256,
                                 "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 16, "n_inner": null,
                                 "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
                                 "embd_pdrop": 0.1, "attn_pdrop": 0.2, "resid_pdrop": 0.15, "eos_token_id": 255}"""),
                        utf8("""
                                {"model_type": "llama", "vocab_size": 256, "hidden_size": 8, "intermediate_size": 12,
                                 "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
                                 "max_position_embeddings": 16, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
                                 "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                  "high_freq_factor": 4.0, "original_max_position_embeddings": 8},
                                 "tie_word_embeddings": false, "attention_bias": false, "head_dim": 4}"""),
                        utf8("""
                                {"model_type": "qwen2", "vocab_size": 256, "hidden_size": 8, "intermediate_size": 12,
                                 "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": null,
                                 "max_position_embeddings": 16, "rms_norm_eps": 1e-5, "use_sliding_window": true,
                                 "sliding_window": 4, "max_window_layers": 1, "rope_parameters": {"rope_type": "yarn",
                                 "factor": 4.0, "rope_theta": 10000.0, "original_max_position_embeddings": 8},
                                 "layer_types": ["full_attention", "sliding_attention"]}"""))
                .run();
    }

    @Test
    void index() throws IOException {
        Files.write(folder.resolve("one.safetensors"), ONE);
        Files.write(folder.resolve("other.safetensors"), THREE);
        new Fuzz(
                        "index",
                        folder.resolve("model.safetensors.index.json"),
                        file -> WeightFiles.open(file.getParent()).close(),
                        utf8("{\"metadata\":{\"total_size\":16},\"weight_map\":{\"a\":\"one.safetensors\"}}"),
                        utf8("{\"weight_map\":{\"a\":\"other.safetensors\",\"b\":\"other.safetensors\","
                                + "\"c\":\"other.safetensors\"}}"))
                .run();
    }

    /** Of torch's, old and new. */
    @Test
    void pytorch() throws IOException {
        new Fuzz(
                        "pytorch",
                        folder.resolve("pytorch_model.bin"),
                        file -> readAll(PyTorchFile.open(file)),
                        torch("views.bin"),
                        torch("types.bin"),
                        torch("statedict.bin"),
                        torch("views-protocol4.bin"),
                        torch("views-legacy.bin"),
                        Torch.zip("cos\nsystem\n)R.", 16))
                .run();
    }

    private static byte[] torch(String name) throws IOException {
        try (InputStream in = ModelFilesFuzzTest.class.getResourceAsStream("/pytorch/" + name)) {
            return in.readAllBytes();
        }
    }

    private static void readAll(TensorFile opened) {
        try (TensorFile tensors = opened;
                Arena arena = Arena.ofConfined()) {
            for (String name : tensors.names()) {
                if (tensors.dtype(name).convertible()) {
                    tensors.readFloats(name, arena.allocate(4 * tensors.elements(name), 4), 0);
                }
            }
        }
    }
}
