package dev.whirlwind.training.tasks;

import java.util.List;

/**
 * One question of a task.
 *
 * @param place where it stands, for errors: {@code line 3}
 * @param context what the model is given
 * @param delimiter what stands between it and an answer
 * @param choices answers to choose among; of a cloze the one that is right; none where text is generated
 * @param gold which choice is right
 * @param references generated text is compared with, at least one; none for the others
 */
record Item(String place, String context, String delimiter, List<String> choices, int gold, List<String> references) {
    Item {
        choices = List.copyOf(choices);
        references = List.copyOf(references);
    }

    static Item choice(String place, String context, List<String> choices, int gold) {
        return new Item(place, context, " ", choices, gold, List.of());
    }

    static Item generation(String place, String context, List<String> references) {
        return new Item(place, context, " ", List.of(), 0, references);
    }

    /** As an example that others follow: the question and its answer. */
    String example() {
        return context + delimiter + (choices.isEmpty() ? references.getFirst() : choices.get(gold));
    }
}
