package dev.whirlwind.training;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import java.util.function.Consumer;

/**
 * What is asked of a run while it goes: by a file in its folder, which is removed when it is done, or by another thread, as
 * when a signal comes.
 */
final class Requests {
    private final Path folder;
    private final Consumer<String> notes;
    private final Set<Request> asked = EnumSet.noneOf(Request.class);

    /** Those whose file cannot be removed: it would ask again and again. */
    private final Set<Request> deaf = EnumSet.noneOf(Request.class);

    Requests(Path folder, Consumer<String> notes) {
        this.folder = folder;
        this.notes = notes;
    }

    synchronized void ask(Request request) {
        asked.add(request);
    }

    synchronized boolean isAsked(Request request) {
        return asked.contains(request)
                || (!deaf.contains(request) && Files.isRegularFile(file(request), LinkOption.NOFOLLOW_LINKS));
    }

    /** What was asked until now is done. */
    synchronized void done(Request request) {
        asked.remove(request);
        try {
            if (Files.isRegularFile(file(request), LinkOption.NOFOLLOW_LINKS)) {
                Storage.delete(file(request));
            }
        } catch (IOException e) {
            deaf.add(request);
            notes.accept(file(request) + ": cannot be removed (" + Reason.of(e) + "), and asks for nothing more");
        }
    }

    private Path file(Request request) {
        return folder.resolve(request.file());
    }
}
