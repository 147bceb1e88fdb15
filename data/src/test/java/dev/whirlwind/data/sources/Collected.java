package dev.whirlwind.data.sources;

import dev.whirlwind.data.sources.formats.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Holds what a corpus hands out. */
public final class Collected implements Corpus.Sink {
    public final Map<String, String> documents = new LinkedHashMap<>();
    public final List<String> order = new ArrayList<>();
    public final Map<String, String> skipped = new LinkedHashMap<>();
    public final Map<String, Kind> kinds = new LinkedHashMap<>();
    public final Findings findings = new Findings();
    private boolean open;

    public static Collected of(Corpus corpus) {
        Collected collected = new Collected();
        corpus.read(collected);
        return collected;
    }

    @Override
    public void text(String document, String piece, boolean last) {
        if (!open) {
            order.add(document);
        }
        if (!order.getLast().equals(document)) {
            throw new AssertionError(document + " inside " + order.getLast());
        }
        documents.merge(document, piece, String::concat);
        open = !last;
        if (last) {
            findings.document();
        }
    }

    @Override
    public void passedOver(Corpus.PassedOver what) {
        skipped.put(what.place(), what.reason());
        findings.passedOver(what);
    }

    @Override
    public void found(Kind kind, String name) {
        kinds.put(name, kind);
        findings.found(kind, name);
    }
}
