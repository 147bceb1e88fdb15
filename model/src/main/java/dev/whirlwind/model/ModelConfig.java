package dev.whirlwind.model;

import dev.whirlwind.model.files.WholeFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a checkpoint's config.json says of the model.
 *
 * @param headDim size of one attention head; heads * headDim need not be hiddenSize
 * @param rope rotary positions, or null for learned ones (GPT-2)
 * @param attentionLayers what differs between layers' attentions, a pattern that repeats
 * @param activation of the feed-forward part; of its gate, where it has one
 * @param queryKeyNorm RMS norm of each query and key head (Qwen3)
 * @param qkvBias biases on queries, keys and values
 * @param outBias bias on attention's output
 * @param mlpBias biases in the feed-forward part
 * @param tied the head is the token embedding
 * @param bosToken id of the begin-of-text token, or -1
 * @param eosToken id of the (first) end-of-text token, or -1
 * @param json the file itself, written back when the model is saved
 */
public record ModelConfig(
        Architecture architecture,
        int vocabularySize,
        int hiddenSize,
        int intermediateSize,
        int layers,
        int heads,
        int kvHeads,
        int headDim,
        int maxPositions,
        float normEps,
        Rope rope,
        List<AttentionLayer> attentionLayers,
        Activation activation,
        boolean queryKeyNorm,
        boolean qkvBias,
        boolean outBias,
        boolean mlpBias,
        boolean tied,
        float embeddingDropout,
        float attentionDropout,
        float residualDropout,
        float initializerRange,
        int bosToken,
        int eosToken,
        ObjectNode json) {

    static final String TIED = "tie_word_embeddings";

    private static final Pattern HUB_NAME = Pattern.compile("[A-Za-z0-9][\\w.-]{0,95}(/[A-Za-z0-9][\\w.-]{0,95})?");

    /** Configurations that ship with Whirlwind. */
    public static final List<String> PRESETS = List.of("gpt2", "llama-15m", "byte-tiny");

    /** GPT-2 normalises with mean and bias, has learned positions and no gate; all the others RMS, rope and a gate. */
    public boolean isGpt2() {
        return architecture == Architecture.GPT2;
    }

    /** Most tokens of a text: where positions are rotary and stretched, that may be more than {@link #maxPositions}. */
    public int longestText() {
        return rope == null
                ? maxPositions
                : (int) Math.min(rope.scaling().longestText(maxPositions), Integer.MAX_VALUE);
    }

    /** Attention over a batch of sequences. */
    public AttentionShape attention(int batch, int sequence) {
        return new AttentionShape(batch, sequence, heads, kvHeads, headDim, attentionLayers);
    }

    /** Throws unless a text of so many tokens has a position for each. */
    public void requirePositions(long tokens) {
        if (tokens > longestText()) {
            throw new UserException("a sequence of " + tokens + " tokens is longer than the model's " + longestText()
                    + " positions; choose a shorter one");
        }
    }

    /** The same model with one dropout rate at all of its architecture's sites. */
    public ModelConfig withDropout(float p) {
        return new ModelConfig(
                architecture,
                vocabularySize,
                hiddenSize,
                intermediateSize,
                layers,
                heads,
                kvHeads,
                headDim,
                maxPositions,
                normEps,
                rope,
                attentionLayers,
                activation,
                queryKeyNorm,
                qkvBias,
                outBias,
                mlpBias,
                tied,
                p,
                p,
                p,
                initializerRange,
                bosToken,
                eosToken,
                json);
    }

    /** The same model with a head of its own, which the token embedding is not; saved configurations say so. */
    public ModelConfig untied() {
        return new ModelConfig(
                architecture,
                vocabularySize,
                hiddenSize,
                intermediateSize,
                layers,
                heads,
                kvHeads,
                headDim,
                maxPositions,
                normEps,
                rope,
                attentionLayers,
                activation,
                queryKeyNorm,
                qkvBias,
                outBias,
                mlpBias,
                false,
                embeddingDropout,
                attentionDropout,
                residualDropout,
                initializerRange,
                bosToken,
                eosToken,
                json.deepCopy().put(TIED, false));
    }

    /** Reads {@code directory/config.json}. */
    public static ModelConfig read(Path directory) {
        Path file = directory.resolve("config.json");
        if (!Files.isDirectory(directory)) {
            throw new UserException(
                    directory + ": no such model folder; give a folder that holds config.json" + ofTheHub(directory));
        }
        if (!Files.exists(file)) {
            throw new UserException(directory + ": config.json is missing; give a Hugging Face model folder");
        }
        return readFile(file);
    }

    /** What may help somebody who gave a name such as "gpt2" or "Qwen/Qwen3-0.6B"; empty for other paths. */
    private static String ofTheHub(Path directory) {
        Path here = Path.of("").toAbsolutePath();
        Path absolute = directory.toAbsolutePath();
        String name =
                absolute.startsWith(here) ? here.relativize(absolute).toString().replace('\\', '/') : "";
        return !HUB_NAME.matcher(name).matches()
                ? ""
                : ". Or is it a name of the Hugging Face hub? Nothing is downloaded here; get its folder with \"hf download "
                        + name + " --local-dir models/" + directory.getFileName() + "\", and give that";
    }

    /** Reads a configuration from a file of any name. */
    public static ModelConfig readFile(Path file) {
        try {
            return parse(WholeFile.read(file, WholeFile.SETTINGS), file.toString());
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    /** One of {@link #PRESETS}. */
    public static ModelConfig preset(String name) {
        try (InputStream in = ModelConfig.class.getResourceAsStream("/presets/" + name + ".json")) {
            if (in == null) {
                throw new UserException("no preset \"" + name + "\"; there are " + String.join(", ", PRESETS));
            }
            return parse(in.readAllBytes(), "preset " + name);
        } catch (IOException e) {
            throw new UserException("preset " + name + " cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    /** Reads a config.json's content; {@code source} names it in errors. */
    public static ModelConfig parse(byte[] content, String source) {
        JsonNode json;
        try {
            json = JsonMapper.shared().readTree(content);
        } catch (JacksonException e) {
            throw new UserException(
                    source + ": is not valid JSON (" + Reason.of(e) + "); mend it, or download it again", e);
        }
        if (!(json instanceof ObjectNode object)) {
            throw new UserException(source + ": is not a JSON object; give a Hugging Face config.json");
        }
        return new ConfigReader(object, source).read();
    }
}
