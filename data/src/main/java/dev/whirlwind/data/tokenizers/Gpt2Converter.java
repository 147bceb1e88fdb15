package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.UserException;
import java.nio.file.Path;
import java.util.Locale;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** {@code vocab.json} and {@code merges.txt} to a tokenizer.json, as GPT2Converter and Qwen2Converter of {@code transformers}. */
final class Gpt2Converter {
    private static final String END_OF_TEXT = "<|endoftext|>";

    private final Path file;
    private final JsonNode vocabulary;
    private final String merges;
    private final TokenizerSettings settings;

    Gpt2Converter(Path file, JsonNode vocabulary, String merges, TokenizerSettings settings) {
        this.file = file;
        this.vocabulary = vocabulary;
        this.merges = merges;
        this.settings = settings;
    }

    ObjectNode convert() {
        if (!vocabulary.isObject() || vocabulary.isEmpty()) {
            throw new UserException(
                    file + ": is not a vocabulary, an object of tokens and their ids; download it again");
        }
        ObjectNode json = TokenizerSettings.emptyTokenizer();
        ArrayNode added = json.putArray("added_tokens");
        TokenizerSettings.SPECIAL.stream()
                .map(settings::token)
                .filter(token -> token != null && vocabulary.path(token).isInt())
                .distinct()
                .forEach(token ->
                        TokenizerSettings.add(added, vocabulary.path(token).intValue(), token, true));
        if (added.isEmpty() && vocabulary.path(END_OF_TEXT).isInt()) {
            TokenizerSettings.add(added, vocabulary.path(END_OF_TEXT).intValue(), END_OF_TEXT, true);
        }
        settings.addOthers(added, vocabulary::has);
        boolean prefix = settings.flag("add_prefix_space", false);
        boolean qwen = settings.config()
                .path("tokenizer_class")
                .asString("")
                .toLowerCase(Locale.ROOT)
                .startsWith("qwen2");
        if (qwen) {
            json.putObject("normalizer").put("type", "NFC");
        }
        json.set("pre_tokenizer", (qwen ? Words.QWEN2 : Words.GPT2).preTokenizer(prefix));
        Words.byteLevel(json.putObject("post_processor"), true, true).put("trim_offsets", false);
        Words.byteLevel(json.putObject("decoder"), true, true);
        json.set("model", bpe());
        settings.putAround(json, settings.token("bos_token"), settings.token("eos_token"), false);
        return json;
    }

    private ObjectNode bpe() {
        ObjectNode bpe = JsonNodeFactory.instance.objectNode().put("type", "BPE");
        bpe.putNull("dropout")
                .putNull("unk_token")
                .put("continuing_subword_prefix", "")
                .put("end_of_word_suffix", "")
                .put("fuse_unk", false)
                .put("byte_fallback", false)
                .put("ignore_merges", false);
        bpe.set("vocab", vocabulary);
        ArrayNode pairs = bpe.putArray("merges");
        merges.lines()
                .filter(line -> !line.isBlank() && !line.startsWith("#version"))
                .forEach(line -> {
                    String[] pair = line.strip().split(" ", -1);
                    if (pair.length != 2) {
                        throw new UserException(
                                file.resolveSibling("merges.txt") + ": a line is not two tokens; download it again");
                    }
                    pairs.addArray().add(pair[0]).add(pair[1]);
                });
        return bpe;
    }
}
