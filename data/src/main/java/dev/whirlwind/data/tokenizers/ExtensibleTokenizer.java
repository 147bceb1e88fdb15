package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.UserException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** A byte-level BPE of a model, which more merges can be added to: behind its own, so that they come after these. */
public final class ExtensibleTokenizer {
    private final TokenizerFiles files;
    private final TokenizerJson json;
    private final Tokenizer tokenizer;
    private final Words words;

    private ExtensibleTokenizer(TokenizerFiles files, TokenizerJson json, Tokenizer tokenizer, Words words) {
        this.files = files;
        this.json = json;
        this.tokenizer = tokenizer;
        this.words = words;
    }

    /**
     * Opens a folder's tokenizer.
     *
     * @param tokenizer the same, loaded
     * @throws UserException if it is of a kind to which merges cannot be added
     */
    public static ExtensibleTokenizer open(Path folder, Tokenizer tokenizer) {
        if (!Tokenizer.isIn(folder)) {
            throw new UserException(folder + ": has no tokenizer; give --model a folder with tokenizer.json");
        }
        TokenizerFiles files = TokenizerFiles.read(folder);
        TokenizerJson json = files.json();
        boolean byteLevel = json.model("type").asString("").equals("BPE")
                && json.step("decoder").path("type").asString("").equals("ByteLevel")
                && (json.model("dropout").isMissingNode()
                        || json.model("dropout").isNull())
                && json.vocabulary().size() >= 256;
        if (!byteLevel) {
            throw new UserException(files.path() + ": is no byte-level BPE (as GPT-2, Llama 3 and Qwen have it) but "
                    + tokenizer.description().model() + "; only such a tokenizer can be extended");
        }
        Words words = Words.of(json.step("pre_tokenizer"))
                .orElseThrow(() -> new UserException(files.path()
                        + ": cuts words by another expression than those of GPT-2, Llama 3 and Qwen, so that it cannot be"
                        + " known which tokens are of use; such a tokenizer cannot be extended"));
        return new ExtensibleTokenizer(files, json, tokenizer, words);
    }

    public Tokenizer tokenizer() {
        return tokenizer;
    }

    public Words words() {
        return words;
    }

    /** The bytes of all tokens, by their ids; null for those that are not written in bytes. */
    public List<byte[]> tokens() {
        List<byte[]> tokens = new ArrayList<>(Collections.nCopies(tokenizer.vocabularySize(), null));
        json.ids().forEach((token, id) -> tokens.set(Math.toIntExact(id), ByteAlphabet.bytes(token)));
        return tokens;
    }

    /**
     * Writes the tokenizer with new tokens into an existing folder, with the other files as they were.
     *
     * @param tokens the new ones, whose ids go on from the old
     * @param merges the new ones
     */
    public void save(Path folder, List<String> tokens, List<NewTokenizer.Merge> merges) {
        ObjectNode changed = (ObjectNode) JsonMapper.shared().readTree(files.text());
        ObjectNode vocabulary = (ObjectNode) changed.path("model").path("vocab");
        // The library counts ids of added tokens from the vocabulary's end: those that are in it keep theirs.
        json.added().forEach(token -> vocabulary.put(token.content(), token.id()));
        int next = tokenizer.vocabularySize();
        for (String token : tokens) {
            vocabulary.put(token, next++);
        }
        ArrayNode pairs = (ArrayNode) changed.path("model").path("merges");
        boolean asStrings = pairs.path(0).isString();
        for (NewTokenizer.Merge merge : merges) {
            if (asStrings) {
                pairs.add(merge.left() + " " + merge.right());
            } else {
                pairs.addArray().add(merge.left()).add(merge.right());
            }
        }
        files.with(JsonMapper.shared().writeValueAsBytes(changed)).save(folder);
    }
}
