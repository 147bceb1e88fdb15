package dev.whirlwind.cli.run;

import dev.whirlwind.model.UserException;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Who hears of a run: a person first, and then files to watch it by, none of which may end it. */
final class Watchers implements Listener {
    private final Listener person;
    private final BooleanSupplier isFolderHeld;
    private final List<Listener> files = new ArrayList<>();

    /** @param isFolderHeld whether what is written to the run's folder still comes into it */
    Watchers(Listener person, BooleanSupplier isFolderHeld) {
        this.person = person;
        this.isFolderHeld = isFolderHeld;
    }

    /** One more, if it can be opened; it is closed with this. */
    void add(Supplier<Listener> opened) {
        survive(() -> files.add(opened.get()));
    }

    @Override
    public void on(Event event) {
        person.on(event);
        for (Listener file : List.copyOf(files)) {
            if (!survive(() -> file.on(event))) {
                files.remove(file);
            }
        }
    }

    @Override
    public void note(String sentence) {
        person.note(sentence);
    }

    @Override
    public void close() {
        for (Listener file : files) {
            survive(() -> {
                if (isFolderHeld.getAsBoolean()) {
                    file.close();
                }
            });
        }
        files.clear();
    }

    private boolean survive(Runnable work) {
        try {
            work.run();
            return true;
        } catch (UserException e) {
            person.note(e.getMessage() + "; the run goes on without it");
            return false;
        }
    }
}
