package dev.whirlwind.data.tokenizers;

import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A byte-level BPE that has been learnt, on its way to the disk.
 *
 * @param vocabulary all tokens by their ids, as {@link ByteAlphabet} writes them
 * @param merges the first are applied first
 * @param special those of the vocabulary that stand for no text; the first ends a text
 */
public record NewTokenizer(Words words, List<String> vocabulary, List<Merge> merges, List<String> special) {
    /** Two tokens that become one. */
    public record Merge(String left, String right) {}

    public NewTokenizer {
        vocabulary = List.copyOf(vocabulary);
        merges = List.copyOf(merges);
        special = List.copyOf(special);
    }

    /** Writes tokenizer.json and tokenizer_config.json, from which {@code AutoTokenizer} loads it, into an existing folder. */
    public void save(Path folder) {
        JsonMapper json = JsonMapper.shared();
        TokenizerFiles.write(folder.resolve(TokenizerFiles.TOKENIZER), json.writeValueAsBytes(json()));
        TokenizerFiles.write(
                folder.resolve(TokenizerFiles.CONFIG),
                json.writerWithDefaultPrettyPrinter().writeValueAsBytes(config()));
    }

    private ObjectNode config() {
        ObjectNode config = JsonNodeFactory.instance
                .objectNode()
                .put("tokenizer_class", "PreTrainedTokenizerFast")
                .put("clean_up_tokenization_spaces", false);
        if (!special.isEmpty()) {
            config.put("eos_token", special.getFirst());
        }
        return config;
    }

    private ObjectNode json() {
        ObjectNode json = TokenizerSettings.emptyTokenizer();
        ArrayNode added = json.putArray("added_tokens");
        special.forEach(token -> TokenizerSettings.add(added, vocabulary.indexOf(token), token, true));
        json.set("pre_tokenizer", words.preTokenizer(false));
        Words.byteLevel(json.putObject("post_processor"), true, true).put("trim_offsets", false);
        Words.byteLevel(json.putObject("decoder"), true, true);
        ObjectNode bpe = json.putObject("model").put("type", "BPE");
        bpe.putNull("dropout")
                .putNull("unk_token")
                .putNull("continuing_subword_prefix")
                .putNull("end_of_word_suffix")
                .put("fuse_unk", false)
                .put("byte_fallback", false)
                .put("ignore_merges", false);
        ObjectNode ids = bpe.putObject("vocab");
        for (int id = 0; id < vocabulary.size(); id++) {
            ids.put(vocabulary.get(id), id);
        }
        ArrayNode pairs = bpe.putArray("merges");
        merges.forEach(merge -> pairs.addArray().add(merge.left()).add(merge.right()));
        return json;
    }
}
