package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The tokenizer's files of a model folder. They are held in memory because a long run saves them into every checkpoint,
 * and the folder that they came from may itself be a checkpoint that has been cleared away since.
 */
final class TokenizerFiles {
    static final String TOKENIZER = "tokenizer.json";

    private static final String CONFIG = "tokenizer_config.json";
    private static final String SPECIAL_TOKENS = "special_tokens_map.json";

    /** What is saved with a model. */
    private static final List<String> NAMES = List.of(
            TOKENIZER,
            CONFIG,
            SPECIAL_TOKENS,
            "added_tokens.json",
            "vocab.json",
            "merges.txt",
            "vocab.txt",
            "tokenizer.model",
            "chat_template.jinja",
            "chat_template.json");

    private static final JsonMapper JSON = JsonMapper.shared();

    private final Path folder;
    private final Map<String, byte[]> files;

    private TokenizerFiles(Path folder, Map<String, byte[]> files) {
        this.folder = folder;
        this.files = files;
    }

    static TokenizerFiles read(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new UserException(folder + " is not a folder: name the model folder that holds tokenizer.json");
        }
        if (!Files.isRegularFile(folder.resolve(TOKENIZER))) {
            throw new UserException(folder.resolve(TOKENIZER) + " is missing"
                    + (Files.exists(folder.resolve("vocab.json")) || Files.exists(folder.resolve("tokenizer.model"))
                            ? " (vocab.json with merges.txt, and tokenizer.model, are older forms that are not read)"
                            : "")
                    + ": make it with AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER)");
        }
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String name : NAMES) {
            Path file = folder.resolve(name);
            if (Files.isRegularFile(file)) {
                files.put(name, bytes(file));
            }
        }
        return new TokenizerFiles(folder, files);
    }

    Tokenizer tokenizer() {
        return Arrays.equals(files.get(TOKENIZER), ByteTokenizer.tokenizerJson())
                ? new ByteTokenizer()
                : new HuggingFaceTokenizer(this);
    }

    Path path() {
        return folder.resolve(TOKENIZER);
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

    /** The tokenizer's ids, among them that of the end-of-text token if the tokenizer's own files name it. */
    Vocabulary vocabulary() {
        String endOfText = endOfTextName();
        return parse(path(), () -> Vocabulary.read(files.get(TOKENIZER), endOfText));
    }

    private String endOfTextName() {
        for (String name : List.of(CONFIG, SPECIAL_TOKENS)) {
            if (files.containsKey(name)) {
                JsonNode json = parse(folder.resolve(name), () -> JSON.readTree(files.get(name)));
                JsonNode token = json.path("eos_token");
                String content = (token.isObject() ? token.path("content") : token).stringValue(null);
                if (content != null) {
                    return content;
                }
            }
        }
        return null;
    }

    /** The end-of-text id by the model's config.json or generation_config.json (of several the first), or -1. */
    int endOfTextOfModel() {
        for (String name : List.of("config.json", "generation_config.json")) {
            Path file = folder.resolve(name);
            if (Files.isRegularFile(file)) {
                byte[] bytes = bytes(file);
                JsonNode id = parse(file, () -> JSON.readTree(bytes)).path("eos_token_id");
                JsonNode first = id.isArray() ? id.path(0) : id;
                if (first.isInt()) {
                    return first.intValue();
                }
            }
        }
        return -1;
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

    private static byte[] bytes(Path file) {
        try {
            return Files.readAllBytes(file);
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
