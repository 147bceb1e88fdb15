package dev.whirlwind.training.evaluation;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.training.metrics.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;

/**
 * A run's evaluations of before its first step, part by part in a file of its folder, so that later ones can be compared
 * with them document by document, after a resume too.
 */
public final class Beginning {
    private final Path file;
    private SequencedMap<String, Evaluation> evaluations = new LinkedHashMap<>();

    /**
     * Reads the file, if there is one.
     *
     * @param notes told where it is damaged, so that nothing can be compared with it
     */
    public Beginning(Path file, Consumer<String> notes) {
        this.file = file;
        if (!Files.exists(file)) {
            return;
        }
        try {
            evaluations = Json.MAPPER.readValue(
                    WholeFile.read(file, WholeFile.TABLE), new TypeReference<LinkedHashMap<String, Evaluation>>() {});
        } catch (IOException e) {
            notes.accept(unreadable(Reason.of(e)));
        } catch (JacksonException e) {
            notes.accept(unreadable(Reason.of(e)));
        }
    }

    private String unreadable(String reason) {
        return file + ": cannot be read (" + reason + "); changes since the first step are told without intervals";
    }

    /** Keeps these. */
    public void keep(SequencedMap<String, Evaluation> evaluations) {
        this.evaluations = new LinkedHashMap<>(evaluations);
        try {
            Storage.replace(file, Json.MAPPER.writeValueAsBytes(evaluations));
        } catch (IOException e) {
            throw new UserException(file + ": cannot be written (" + Reason.of(e) + "); mend that and run resume", e);
        }
    }

    /** What has changed since for a text; empty where it was not evaluated then, or in other windows. */
    public Optional<Comparison> changeOf(String name, Evaluation now) {
        try {
            return Optional.ofNullable(evaluations.get(name)).map(before -> Comparison.of(before, now));
        } catch (UserException e) {
            return Optional.empty();
        }
    }
}
