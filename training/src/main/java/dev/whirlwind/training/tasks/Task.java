package dev.whirlwind.training.tasks;

import dev.whirlwind.data.sources.Corpus;
import dev.whirlwind.model.UserException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/**
 * A task's questions as they are put to models.
 *
 * @param name what results call it
 * @param examples what stands before each question
 */
public record Task(String name, Path file, Preset form, String examples, List<Item> items) {
    private static final String BETWEEN_EXAMPLES = "\n\n";

    /**
     * How a task is read.
     *
     * @param preset the file's form; null to tell it by the fields
     * @param examples a file of the same form whose items come before each question with their answers, or null
     * @param shots how many of them, from its beginning; 0 for all
     * @param fields names of the file's fields, by those of the form
     * @param template of prompts, with the file's fields in braces; null for the form's own
     * @param delimiter between prompts and answers; null for the form's own
     * @param labels of a classification; none for those in the file
     * @param limit items to read, from the beginning; 0 for all
     */
    public record Source(
            Path file,
            Preset preset,
            Path examples,
            int shots,
            Fields fields,
            String template,
            String delimiter,
            List<String> labels,
            int limit) {}

    public Task {
        items = List.copyOf(items);
    }

    /**
     * Reads a task.
     *
     * @param notes told of what form the file was taken for, where it was not said
     */
    public static Task read(Source source, Consumer<String> notes) {
        Preset preset = source.preset();
        if (preset == null) {
            preset = TaskFile.recognise(source.file(), source.fields());
            notes.accept(source.file() + ": read as " + preset.code() + ", as its rows have "
                    + String.join(", ", preset.needs()) + "; another form is chosen by --task FORM=" + source.file());
        }
        List<Item> items = items(source, preset, source.file(), source.limit());
        List<Item> examples =
                source.examples() == null ? List.of() : items(source, preset, source.examples(), source.shots());
        if (examples.size() < source.shots()) {
            throw new UserException(source.examples()
                    + ": has %,d examples, fewer than --shots %d; give more"
                            .formatted(examples.size(), source.shots()));
        }
        if (preset.kind() == Kind.CLASSIFICATION) {
            Set<String> labels = new LinkedHashSet<>(source.labels());
            if (labels.isEmpty()) {
                items.forEach(item -> labels.add(item.choices().getFirst()));
                examples.forEach(item -> labels.add(item.choices().getFirst()));
            }
            List<String> all = List.copyOf(labels);
            if (all.size() < 2) {
                throw new UserException(source.file() + ": has one label only, " + all.getFirst()
                        + "; name all there are by --labels A,B");
            }
            items = items.stream().map(item -> labelled(source, item, all)).toList();
        }
        StringBuilder before = new StringBuilder();
        examples.forEach(example -> before.append(example.example()).append(BETWEEN_EXAMPLES));
        return new Task(preset.code(), source.file(), preset, before.toString(), items);
    }

    /** What an item's answer should be: one text, or several of which each will do. */
    public List<String> expected(int item) {
        Item one = items.get(item);
        return one.choices().isEmpty()
                ? one.references()
                : List.of(one.choices().get(one.gold()));
    }

    /** What is asked. */
    public Kind kind() {
        return form.kind();
    }

    /** The same under another name. */
    public Task named(String other) {
        return new Task(other, file, form, examples, items);
    }

    /** Whether it is right to say nothing to some questions, as in SQuAD 2.0. */
    public boolean hasEmptyReferences() {
        return items.stream().anyMatch(item -> item.references().contains(""));
    }

    /** The questions with their answers, as documents that may be looked for in others. */
    public Corpus documents() {
        return new Corpus() {
            @Override
            public void read(Sink sink) {
                items.forEach(item -> sink.text(file + " " + item.place(), item.example(), true));
            }

            @Override
            public String name() {
                return file.toString();
            }
        };
    }

    private static Item labelled(Source source, Item item, List<String> labels) {
        int gold = labels.indexOf(item.choices().getFirst());
        if (gold < 0) {
            throw new UserException(source.file() + ": " + item.place() + ": the label "
                    + item.choices().getFirst() + " is not one of --labels " + String.join(",", labels)
                    + "; add it there, or mend the row");
        }
        return new Item(item.place(), item.context(), item.delimiter(), labels, gold, List.of());
    }

    private static List<Item> items(Source source, Preset preset, Path file, int limit) {
        List<Item> items = new ArrayList<>();
        for (TaskFile.Found found : TaskFile.read(file, preset == Preset.LAMBADA)) {
            if (limit > 0 && items.size() == limit) {
                break;
            }
            Row row = new Row(file, found.place(), found.json(), source.fields(), preset);
            // What is missing is told in the form's order, before anything is made of the rest.
            preset.needs().forEach(row::get);
            Item item = preset.item(row);
            items.add(new Item(
                    item.place(),
                    source.template() == null ? item.context() : row.filled(source.template()),
                    source.delimiter() == null ? item.delimiter() : source.delimiter(),
                    item.choices(),
                    item.gold(),
                    item.references()));
        }
        return items;
    }
}
