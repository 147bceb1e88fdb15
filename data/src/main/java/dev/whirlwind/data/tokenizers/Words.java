package dev.whirlwind.data.tokenizers;

import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** How byte-level BPE cuts a text into words, over whose ends no merge goes. */
public enum Words {
    /** GPT-2's expression, which is built into the step {@code ByteLevel}. */
    GPT2("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"),

    /** Of Llama 3 and GPT-4: numbers in threes, line ends with what is before them. */
    LLAMA3(Words.CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" + Words.REST),

    /** Of Qwen 2 and 3: the same with single digits. */
    QWEN2(Words.CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" + Words.REST);

    private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

    private final String expression;

    Words(String expression) {
        this.expression = expression;
    }

    String expression() {
        return expression;
    }

    /** Offsets, which are trimmed or not, are no matter here. */
    private ObjectNode preTokenizer(boolean prefix, boolean trim) {
        ObjectNode step = JsonNodeFactory.instance.objectNode();
        if (this == GPT2) {
            return byteLevel(step, prefix, true).put("trim_offsets", trim);
        }
        ArrayNode steps = step.put("type", "Sequence").putArray("pretokenizers");
        ObjectNode split = steps.addObject().put("type", "Split");
        split.putObject("pattern").put("Regex", expression);
        split.put("behavior", "Isolated").put("invert", false);
        byteLevel(steps.addObject(), prefix, false).put("trim_offsets", trim);
        return step;
    }

    /** Whose words a step of a tokenizer.json finds; empty where it is none of these. */
    static Optional<Words> of(JsonNode step) {
        return Stream.of(values())
                .filter(words -> Stream.of(true, false)
                        .anyMatch(trim -> words.preTokenizer(false, trim).equals(step)))
                .findFirst();
    }

    /** The step of a tokenizer.json. */
    ObjectNode preTokenizer(boolean prefix) {
        return preTokenizer(prefix, true);
    }

    static ObjectNode byteLevel(ObjectNode step, boolean prefix, boolean regex) {
        return step.put("type", "ByteLevel")
                .put("add_prefix_space", prefix)
                .put("trim_offsets", true)
                .put("use_regex", regex);
    }
}
