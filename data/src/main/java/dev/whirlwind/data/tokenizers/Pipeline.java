package dev.whirlwind.data.tokenizers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * What is known of a tokenizer by its steps: where a text may be cut so that its pieces give the tokens of the whole, and
 * whether the native library can fail on a text. Nothing is known of steps that are not listed here: then a text is
 * encoded whole, and in a child process.
 */
final class Pipeline {
    private enum Kind {
        /**
         * Words are found by one of {@link #WORDS}, then spelt in bytes. In none of them does a word go on after white
         * space that follows a letter or digit.
         */
        WORDS,

        /**
         * SentencePiece's BPE over the whole text, in which spaces are written as U+2581. Merges know no words, but no
         * token of the vocabulary has that character after another one, so none goes on over it.
         */
        SPACES,

        UNKNOWN
    }

    private static final String SPACE = "\u2581";

    /** Of Llama 3 (and GPT-4), Qwen 2 and 3, and Mistral's Tekken. GPT-2's is built into ByteLevel. */
    private static final Set<String> WORDS = Set.of(
            Words.LLAMA3.expression(),
            Words.QWEN2.expression(),
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
                    + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
                    + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");

    /**
     * Characters of a text that no regular expression of {@link #WORDS} fails on: back-tracking over white space is
     * limited to ten million steps.
     */
    private static final int LONGEST_FOR_WORDS = 1 << 22;

    private final Kind kind;
    private final boolean cuttable;

    /** A space is put before every text, so a piece that begins with one gives it up. */
    private final boolean prefixed;

    /** Other white space than a space may begin a piece. */
    private final boolean anyWhiteSpace;

    private Pipeline(Kind kind, boolean cuttable, boolean prefixed, boolean anyWhiteSpace) {
        this.kind = kind;
        this.cuttable = cuttable;
        this.prefixed = prefixed;
        this.anyWhiteSpace = anyWhiteSpace;
    }

    static Pipeline of(TokenizerJson json) {
        boolean bpe = json.model("type").asString("").equals("BPE")
                && isNull(json.model("dropout"))
                && json.model("continuing_subword_prefix").asString("").isEmpty()
                && json.model("end_of_word_suffix").asString("").isEmpty();
        List<JsonNode> normalizers = parts(json.step("normalizer"), "normalizers");
        List<JsonNode> words = parts(json.step("pre_tokenizer"), "pretokenizers");
        if (bpe && areWords(normalizers, words) && is(json.step("decoder"), "ByteLevel")) {
            boolean space = words.getLast().path("add_prefix_space").asBoolean(true);
            return new Pipeline(Kind.WORDS, cutsNoAddedToken(json), false, !space);
        }
        if (bpe && isSentencePiece(normalizers, words) && decodesSpaces(json.step("decoder"))) {
            boolean merges = !json.model("ignore_merges").asBoolean(false);
            boolean prefixed = normalizers.size() == 2
                    || (!words.isEmpty()
                            && !words.getFirst()
                                    .path("prepend_scheme")
                                    .asString("always")
                                    .equals("never"));
            return new Pipeline(
                    Kind.SPACES, merges && cutsNoAddedToken(json) && noneGoesOnOverSpaces(json), prefixed, false);
        }
        return new Pipeline(Kind.UNKNOWN, false, false, false);
    }

    private static boolean areWords(List<JsonNode> normalizers, List<JsonNode> words) {
        if (!normalizers.stream().allMatch(step -> is(step, "NFC")) || words.isEmpty()) {
            return false;
        }
        boolean regex = words.getLast().path("use_regex").asBoolean(true);
        JsonNode split = words.getFirst();
        return is(words.getLast(), "ByteLevel")
                && (words.size() == 1
                        ? regex
                        : words.size() == 2
                                && !regex
                                && is(split, "Split")
                                && WORDS.contains(
                                        split.path("pattern").path("Regex").asString(""))
                                && split.path("behavior").asString("").equals("Isolated")
                                && !split.path("invert").asBoolean(false));
    }

    private static boolean isSentencePiece(List<JsonNode> normalizers, List<JsonNode> words) {
        if (normalizers.isEmpty()) {
            return words.size() == 1
                    && is(words.getFirst(), "Metaspace")
                    && words.getFirst().path("replacement").asString("").equals(SPACE)
                    && !words.getFirst().path("split").asBoolean(true);
        }
        JsonNode replace = normalizers.getLast();
        boolean prepends = normalizers.size() == 2
                && is(normalizers.getFirst(), "Prepend")
                && normalizers.getFirst().path("prepend").asString("").equals(SPACE);
        return words.isEmpty() && (normalizers.size() == 1 || prepends) && isReplace(replace, " ", SPACE);
    }

    private static boolean decodesSpaces(JsonNode decoder) {
        for (JsonNode step : parts(decoder, "decoders")) {
            boolean stripsOne = is(step, "Strip")
                    && step.path("content").asString("").equals(" ")
                    && step.path("start").asInt(2) <= 1
                    && step.path("stop").asInt(1) == 0;
            boolean known = isReplace(step, SPACE, " ")
                    || is(step, "ByteFallback")
                    || is(step, "Fuse")
                    || is(step, "Metaspace")
                    || stripsOne;
            if (!known) {
                return false;
            }
        }
        return true;
    }

    /**
     * A piece ends in a letter or digit, the next begins with white space: no added token lies across, and none that ends
     * or begins there makes the two sides look different from a text's end and beginning.
     */
    private static boolean cutsNoAddedToken(TokenizerJson json) {
        for (TokenizerJson.Added token : json.added()) {
            String content = token.content();
            if (Character.isLetterOrDigit(content.charAt(content.length() - 1))
                    || Character.isLetterOrDigit(content.charAt(0))) {
                return false;
            }
            for (int i = 1; i < content.length(); i++) {
                if (isCut(content.charAt(i - 1), content.charAt(i), true)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static boolean noneGoesOnOverSpaces(TokenizerJson json) {
        Map<String, Long> vocabulary = json.vocabulary();
        return vocabulary.containsKey(SPACE)
                && vocabulary.keySet().stream().noneMatch(Pipeline::goesOnOverSpace)
                && json.added().stream().noneMatch(token -> token.content().contains(SPACE));
    }

    private static boolean goesOnOverSpace(String token) {
        for (int i = token.indexOf(SPACE, 1); i > 0; i = token.indexOf(SPACE, i + 1)) {
            if (token.charAt(i - 1) != SPACE.charAt(0)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isReplace(JsonNode step, String from, String to) {
        return is(step, "Replace")
                && step.path("pattern").path("String").asString("").equals(from)
                && step.path("content").asString("").equals(to);
    }

    private static boolean is(JsonNode step, String type) {
        return step.path("type").asString("").equals(type);
    }

    private static boolean isNull(JsonNode node) {
        return node.isMissingNode() || node.isNull();
    }

    /** The steps of a sequence, in sequences too; a step that is none, as one; nothing for null. */
    private static List<JsonNode> parts(JsonNode step, String name) {
        List<JsonNode> parts = new ArrayList<>();
        if (is(step, "Sequence")) {
            step.path(name).forEach(part -> parts.addAll(parts(part, name)));
        } else if (!isNull(step)) {
            parts.add(step);
        }
        return parts;
    }

    /** Whether the library is known to abort on no text of this length. */
    boolean isSafe(int length) {
        return kind == Kind.SPACES || (kind == Kind.WORDS && length <= LONGEST_FOR_WORDS);
    }

    /** The last place above {@code from} and up to {@code limit} where a text may be cut, or 0 where none is known. */
    int boundary(CharSequence text, int from, int limit) {
        if (cuttable) {
            for (int i = Math.min(limit, text.length() - 1); i > from; i--) {
                if (isCut(text.charAt(i - 1), text.charAt(i), anyWhiteSpace) && (!prefixed || isInside(text, i))) {
                    return i;
                }
            }
        }
        return 0;
    }

    private static boolean isCut(char before, char after, boolean anyWhiteSpace) {
        return (after == ' ' || (anyWhiteSpace && "\n\r\t".indexOf(after) >= 0)) && Character.isLetterOrDigit(before);
    }

    /** A prefix is not put before what begins with one, or is nothing. */
    private static boolean isInside(CharSequence text, int cut) {
        return cut + 1 < text.length()
                && text.charAt(cut + 1) != ' '
                && text.charAt(cut + 1) != SPACE.charAt(0)
                // An added token may begin here, and then the space before it would be a text of its own.
                && Character.isLetterOrDigit(text.charAt(cut + 1));
    }

    /** What is encoded of a piece that begins at a boundary. */
    String continuation(String piece) {
        return prefixed ? piece.substring(1) : piece;
    }
}
