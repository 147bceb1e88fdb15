package dev.whirlwind.data.sources;

import dev.whirlwind.data.sources.Corpus.PassedOver;
import dev.whirlwind.data.sources.Corpus.PassedOver.Unit;
import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.model.Reason;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a corpus turned out to hold, for a line or two about it. */
public final class Findings {
    private static final int LISTED = 100;
    private static final int NAMES = 3;

    private static final class Group {
        final List<String> names = new ArrayList<>();
        long count;

        void add(String name) {
            count++;
            if (names.size() < NAMES) {
                names.add(Reason.cited(name));
            }
        }

        String words(String one, String many) {
            return "%,d %s".formatted(count, count == 1 ? one : many);
        }

        /** The names as far as they are kept, and whether there are more. */
        String examples() {
            return " (" + String.join("; ", names) + (count > names.size() ? "; ..." : "") + ")";
        }
    }

    private final EnumMap<Kind, Group> found = new EnumMap<>(Kind.class);
    private final EnumMap<Unit, Group> passedOver = new EnumMap<>(Unit.class);
    private final Group emptyRows = new Group();
    private final Map<String, String> reasons = new LinkedHashMap<>();
    private long documents;

    /** Counts a document that was read. */
    public void document() {
        documents++;
    }

    /** Counts a file that is read. */
    public void found(Kind kind, String name) {
        found.computeIfAbsent(kind, _ -> new Group()).add(name);
    }

    /** Counts what was passed over. */
    public void passedOver(PassedOver what) {
        boolean emptyRow = what.unit() == Unit.ROW && what.reason().equals(PassedOver.EMPTY);
        Group group = emptyRow ? emptyRows : passedOver.computeIfAbsent(what.unit(), _ -> new Group());
        group.add(emptyRow ? what.name() : what.name() + ", " + what.reason());
        if (reasons.size() < LISTED) {
            reasons.put(what.place(), what.reason());
        }
    }

    /** Files and folders that were passed over. */
    public long files() {
        return count(Unit.FILE) + count(Unit.FOLDER);
    }

    /** Rows and documents that were passed over. */
    public long rows() {
        return count(Unit.ROW) + count(Unit.DOCUMENT) + emptyRows.count;
    }

    /** Of the first hundred of them all, why. */
    public Map<String, String> reasons() {
        return Collections.unmodifiableMap(reasons);
    }

    private long count(Unit unit) {
        return passedOver.containsKey(unit) ? passedOver.get(unit).count : 0;
    }

    /** Lines for the user: what was read as what, where it was not all plain text, and what was passed over. */
    public List<String> lines(String corpus) {
        List<String> lines = new ArrayList<>();
        if (found.keySet().stream().anyMatch(kind -> kind != Kind.TEXT)) {
            List<String> parts = new ArrayList<>();
            found.forEach(
                    (kind, group) -> parts.add(kind.words(group.count) + (kind == Kind.TEXT ? "" : group.examples())));
            lines.add(corpus + ": read " + joined(parts));
        }
        String passed = passedOver();
        if (!passed.isEmpty()) {
            boolean most = count(Unit.FILE) + count(Unit.ROW) > documents;
            lines.add((most ? "warning: " : "") + corpus + ": passed over " + passed
                    + (most ? ", which is more than was read (%,d)".formatted(documents) : ""));
        }
        return lines;
    }

    /** What was passed over, in words; empty where nothing was. */
    public String passedOver() {
        List<String> parts = new ArrayList<>();
        passedOver.forEach((unit, group) -> parts.add(switch (unit) {
                    case FILE -> group.words("file", "files");
                    case FOLDER -> group.words("folder", "folders");
                    case ROW -> group.words("row", "rows");
                    case DOCUMENT -> group.words("document", "documents");
                }
                + group.examples()));
        if (emptyRows.count > 0) {
            parts.add(emptyRows.words("empty row", "empty rows"));
        }
        return joined(parts);
    }

    private static String joined(List<String> parts) {
        int last = parts.size() - 1;
        return last < 1
                ? String.join("", parts)
                : String.join(", ", parts.subList(0, last)) + " and " + parts.get(last);
    }
}
