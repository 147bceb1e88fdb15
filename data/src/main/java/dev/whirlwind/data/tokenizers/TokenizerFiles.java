package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The tokenizer's files of a model folder. They are held in memory because a long run saves them into every checkpoint,
 * and the folder that they came from may itself be a checkpoint that has been cleared away since.
 */
final class TokenizerFiles {
    static final String TOKENIZER = "tokenizer.json";

    private static final String SENTENCE_PIECE = "tokenizer.model";
    private static final String VOCABULARY = "vocab.json";
    private static final String MERGES = "merges.txt";
    static final String CONFIG = "tokenizer_config.json";
    private static final String SPECIAL_TOKENS = "special_tokens_map.json";

    /** What is saved with a model. */
    private static final List<String> NAMES = List.of(
            TOKENIZER,
            CONFIG,
            SPECIAL_TOKENS,
            "added_tokens.json",
            VOCABULARY,
            MERGES,
            "vocab.txt",
            SENTENCE_PIECE,
            "chat_template.jinja",
            "chat_template.json");

    private static final JsonMapper JSON = JsonMapper.shared();

    private final Path folder;
    private final Map<String, byte[]> files;
    private Path path;

    private TokenizerFiles(Path folder, Map<String, byte[]> files) {
        this.folder = folder;
        this.files = files;
    }

    static boolean isIn(Path folder) {
        return Stream.of(TOKENIZER, SENTENCE_PIECE, VOCABULARY).anyMatch(name -> isThere(folder.resolve(name)));
    }

    /** Of the files that a tokenizer is made from; 0 where there are none. */
    static long size(Path folder) {
        return Stream.of(List.of(TOKENIZER), List.of(SENTENCE_PIECE), List.of(VOCABULARY, MERGES))
                .mapToLong(names -> names.stream()
                        .mapToLong(name -> folder.resolve(name).toFile().length())
                        .sum())
                .filter(size -> size > 0)
                .findFirst()
                .orElse(0);
    }

    /** Also a link that leads nowhere, or a pipe: what cannot be read is told, and not taken for missing. */
    private static boolean isThere(Path file) {
        return Files.exists(file, LinkOption.NOFOLLOW_LINKS);
    }

    static TokenizerFiles read(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new UserException(folder + " is not a folder: name the model folder that holds tokenizer.json");
        }
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String name : NAMES) {
            Path file = folder.resolve(name);
            if (isThere(file)) {
                files.put(name, bytes(file, WholeFile.TABLE));
            }
        }
        TokenizerFiles tokenizer = new TokenizerFiles(folder, files);
        tokenizer.path = folder.resolve(TOKENIZER);
        if (!files.containsKey(TOKENIZER)) {
            tokenizer.convert();
        }
        return tokenizer;
    }

    /** Makes tokenizer.json of the older files that a model may have in its place; it is saved with the model. */
    private void convert() {
        TokenizerSettings settings =
                new TokenizerSettings(json(CONFIG), json(SPECIAL_TOKENS), json("added_tokens.json"));
        ObjectNode json;
        if (files.containsKey(SENTENCE_PIECE)) {
            path = folder.resolve(SENTENCE_PIECE);
            json = new SentencePieceConverter(SentencePieceModel.read(path, files.get(SENTENCE_PIECE)), settings)
                    .convert();
        } else if (files.containsKey(VOCABULARY) && files.containsKey(MERGES)) {
            path = folder.resolve(VOCABULARY);
            String merges = new String(files.get(MERGES), StandardCharsets.UTF_8);
            // Its numbers may be larger than any id.
            json = parse(path, () -> new Gpt2Converter(path, json(VOCABULARY), merges, settings).convert());
        } else {
            throw new UserException(path + " is missing, and so are tokenizer.model, and vocab.json with merges.txt:"
                    + " make it with AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER)");
        }
        files.put(TOKENIZER, JSON.writeValueAsBytes(json));
    }

    private JsonNode json(String name) {
        return files.containsKey(name)
                ? parse(folder.resolve(name), () -> JSON.readTree(files.get(name)))
                : MissingNode.getInstance();
    }

    Tokenizer tokenizer(int vocabulary, Consumer<String> notes) {
        if (!Arrays.equals(files.get(TOKENIZER), ByteTokenizer.tokenizerJson())) {
            return new HuggingFaceTokenizer(this, vocabulary, notes);
        }
        Tokenizer tokenizer = new ByteTokenizer(endOfText(json(), Math.min(vocabulary, 256)));
        if (tokenizer.vocabularySize() > vocabulary) {
            throw misfit(path(), tokenizer.vocabularySize(), vocabulary);
        }
        return tokenizer;
    }

    static UserException misfit(Object tokenizer, int size, int vocabulary) {
        return new UserException(tokenizer + ": has " + size + " ids but the model's vocabulary is " + vocabulary
                + ": tokenizer.json and config.json (vocab_size) belong to different models");
    }

    /** The file that it was read from. */
    Path path() {
        return path;
    }

    byte[] fingerprint() {
        return fingerprint(files.get(TOKENIZER));
    }

    static byte[] fingerprint(byte[] tokenizerJson) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(tokenizerJson);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /** The text of tokenizer.json. */
    String text() {
        return new String(files.get(TOKENIZER), StandardCharsets.UTF_8);
    }

    TokenizerJson json() {
        return parse(path(), () -> TokenizerJson.read(files.get(TOKENIZER)));
    }

    /** The same with another tokenizer.json, and without the files that it says otherwise than. */
    TokenizerFiles with(byte[] tokenizerJson) {
        Map<String, byte[]> changed = new LinkedHashMap<>(files);
        changed.keySet().removeAll(List.of(VOCABULARY, MERGES, SENTENCE_PIECE));
        changed.put(TOKENIZER, tokenizerJson);
        return new TokenizerFiles(folder, changed);
    }

    /** @param vocabulary what an id must be below to be of use */
    EndOfText endOfText(TokenizerJson json, int vocabulary) {
        List<EndOfText.Named> model =
                List.of(endOfTextOfModel("config.json"), endOfTextOfModel("generation_config.json"));
        return EndOfText.of(model, ownEndOfText(json), vocabulary, json::name);
    }

    private EndOfText.Named ownEndOfText(TokenizerJson json) {
        for (String name : List.of(CONFIG, SPECIAL_TOKENS)) {
            if (files.containsKey(name)) {
                JsonNode config = parse(folder.resolve(name), () -> JSON.readTree(files.get(name)));
                JsonNode token = config.path("eos_token");
                String content = (token.isObject() ? token.path("content") : token).stringValue(null);
                if (content != null) {
                    long id = json.id(content);
                    return new EndOfText.Named(name, id < 0 ? List.of() : List.of(id));
                }
            }
        }
        return new EndOfText.Named(CONFIG, List.of());
    }

    /** {@code eos_token_id} of a file that lies beside the tokenizer's. */
    private EndOfText.Named endOfTextOfModel(String name) {
        Path file = folder.resolve(name);
        List<Long> ids = new ArrayList<>();
        if (isThere(file)) {
            byte[] bytes = bytes(file, WholeFile.SETTINGS);
            JsonNode id = parse(file, () -> JSON.readTree(bytes)).path("eos_token_id");
            for (JsonNode one : id.isArray() ? id : List.of(id)) {
                if (one.isIntegralNumber()) {
                    ids.add(one.canConvertToLong() ? one.longValue() : Long.MAX_VALUE);
                }
            }
        }
        return new EndOfText.Named(name, ids);
    }

    void save(Path target) {
        files.forEach((name, bytes) -> write(target.resolve(name), bytes));
    }

    static void write(Path file, byte[] bytes) {
        try {
            Storage.write(file, bytes);
        } catch (IOException e) {
            throw new UserException(
                    file + ": cannot be written (" + Reason.of(e) + "); free some space or choose another folder", e);
        }
    }

    private static byte[] bytes(Path file, long most) {
        try {
            return WholeFile.read(file, most);
        } catch (IOException e) {
            throw new UserException("cannot read " + file + ": " + Reason.of(e), e);
        }
    }

    private static <T> T parse(Path file, Supplier<T> reading) {
        try {
            return reading.get();
        } catch (JacksonException e) {
            throw new UserException(file + ": broken JSON at " + Reason.of(e) + "; mend it, or download it again", e);
        }
    }
}
