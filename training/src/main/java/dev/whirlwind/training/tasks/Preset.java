package dev.whirlwind.training.tasks;

import dev.whirlwind.training.scoring.PythonText;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/**
 * The forms that tasks come in. Prompts of the published ones are those of lm-evaluation-harness (version 0.4's tasks of
 * the same names), so that scores can be compared.
 */
public enum Preset {
    /** HellaSwag (arXiv 1905.07830), as its authors' and as Hugging Face's rows have it. */
    HELLASWAG(Kind.CHOICE, "ctx_a", "ctx_b", "endings", "activity_label", "label") {
        @Override
        Item item(Row row) {
            String context = row.text("ctx_a") + " " + capitalized(row.text("ctx_b"));
            List<String> endings =
                    row.texts("endings").stream().map(Preset::withoutBrackets).toList();
            return Item.choice(
                    row.place(),
                    withoutBrackets(row.text("activity_label") + ": " + context),
                    endings,
                    row.index("label", endings.size()));
        }
    },

    /** ARC (arXiv 1803.05457): choices within the question, as its authors have it, or beside it, as Hugging Face does. */
    ARC(Kind.CHOICE, "question", "answerKey") {
        @Override
        Item item(Row row) {
            JsonNode question = row.get("question");
            String text = question.isObject() ? row.text("question.stem") : row.text("question");
            String field = question.isObject() ? "question.choices" : "choices";
            List<String> choices = row.texts(field, "text");
            List<String> keys = row.texts(field, "label");
            int gold = keys.indexOf(row.text("answerKey"));
            if (gold < 0 || keys.size() != choices.size()) {
                throw row.error("\"answerKey\" is \"" + row.text("answerKey") + "\", but the choices are "
                        + String.join(", ", keys) + " with " + choices.size() + " texts; mend the row");
            }
            return Item.choice(row.place(), "Question: " + text + "\nAnswer:", choices, gold);
        }
    },

    /** PIQA (arXiv 1911.11641); its labels in the rows, or in a file {@code NAME-labels.lst} beside {@code NAME.jsonl}. */
    PIQA(Kind.CHOICE, "goal", "sol1", "sol2", "label") {
        @Override
        Item item(Row row) {
            return Item.choice(
                    row.place(),
                    "Question: " + row.text("goal") + "\nAnswer:",
                    List.of(row.text("sol1"), row.text("sol2")),
                    row.index("label", 2));
        }
    },

    /** SQuAD 1.1 and 2.0 (arXiv 1606.05250, 1806.03822), nested as its authors have it, or as Hugging Face's rows. */
    SQUAD(Kind.GENERATION, "context", "question", "answers") {
        @Override
        Item item(Row row) {
            List<String> texts = row.texts("answers", "text");
            String title = row.find("title") == null ? "" : "Title: " + row.text("title") + "\n\n";
            return Item.generation(
                    row.place(),
                    title + "Background: " + row.text("context") + "\n\nQuestion: " + row.text("question")
                            + "\n\nAnswer:",
                    // A question without an answer: saying nothing is right.
                    texts.isEmpty() ? List.of("") : texts);
        }
    },

    /** Multiple choice of any kind: {@code label} is the right choice's number from 0, or the choice itself. */
    CHOICE(Kind.CHOICE, "context", "choices", "label") {
        @Override
        Item item(Row row) {
            List<String> choices = row.texts("choices");
            JsonNode label = row.get("label");
            int same = label.isString() ? choices.indexOf(label.asString()) : -1;
            int gold = same >= 0 ? same : row.index("label", choices.size());
            return Item.choice(row.place(), row.text("context"), choices, gold);
        }
    },

    /** Labelled texts; the labels are those that the file has, or those of an option. */
    CLASSIFICATION(Kind.CLASSIFICATION, "text", "label") {
        @Override
        Item item(Row row) {
            return Item.choice(row.place(), row.text("text") + "\nLabel:", List.of(row.text("label")), 0);
        }
    },

    /** Prompts with one reference or several. */
    GENERATION(Kind.GENERATION, "prompt", "references") {
        @Override
        Item item(Row row) {
            return Item.generation(row.place(), row.text("prompt"), row.texts("references"));
        }
    },

    /** Any text and how it goes on. */
    CLOZE(Kind.CLOZE, "context", "target") {
        @Override
        Item item(Row row) {
            return Item.choice(row.place(), row.text("context"), List.of(row.text("target")), 0);
        }
    },

    /** LAMBADA (arXiv 1606.06031): the last word of each text is to be predicted. A plain file has a text a line. */
    LAMBADA(Kind.CLOZE, "text") {
        @Override
        Item item(Row row) {
            String text = row.text("text");
            int space = text.lastIndexOf(' ');
            if (space < 0 || space == text.length() - 1) {
                throw row.error("\"text\" has no last word after a space; remove the row, or the space at its end");
            }
            return Item.choice(row.place(), text.substring(0, space), List.of(text.substring(space + 1)), 0);
        }
    };

    private static final Pattern BRACKETS = Pattern.compile("\\[[^\n]*?]");

    private final Kind kind;
    /** Fields that it cannot do without, parted by spaces. */
    private final String needs;

    Preset(Kind kind, String... needs) {
        this.kind = kind;
        this.needs = String.join(" ", needs);
    }

    /** What is asked of a model. */
    public Kind kind() {
        return kind;
    }

    /** Its name on the command line. */
    public String code() {
        return name().toLowerCase(Locale.ROOT);
    }

    List<String> needs() {
        return List.of(needs.split(" ", -1));
    }

    abstract Item item(Row row);

    /** The first whose fields a row has all of. */
    static Optional<Preset> fitting(JsonNode row) {
        return Arrays.stream(values())
                .filter(preset -> preset.needs().stream().allMatch(field -> Row.find(row, field) != null))
                .findFirst();
    }

    /** Python's {@code str.capitalize}: the first character in upper case, the others in lower case. */
    private static String capitalized(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = text.offsetByCodePoints(0, 1);
        StringBuilder capital = new StringBuilder().appendCodePoint(Character.toTitleCase(text.codePointAt(0)));
        return capital.append(PythonText.lower(text.substring(first))).toString();
    }

    /** What the harness does with HellaSwag's texts: those of WikiHow have marks in brackets. */
    private static String withoutBrackets(String text) {
        return BRACKETS.matcher(PythonText.strip(text).replace(" [title]", ". "))
                .replaceAll("")
                .replace("  ", " ");
    }
}
