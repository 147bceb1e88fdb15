package dev.whirlwind.training.checkpoints;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.weights.WeightFiles;
import dev.whirlwind.training.config.RegularisationOptions;
import dev.whirlwind.training.distillation.TeacherCache;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * What a run learns from beside its texts, told by SHA-256 of what the files hold: with another teacher under the same name it
 * would end elsewhere.
 */
public final class Companions {
    private Companions() {}

    /** By the names of the options that they are given with. */
    static SequencedMap<String, String> of(RegularisationOptions options) {
        SequencedMap<String, String> companions = new LinkedHashMap<>();
        if (options.teacher() != null) {
            companions.put("teacher", model(Path.of(options.teacher())));
        }
        if (!options.teacherCache().isEmpty()) {
            StringBuilder identities = new StringBuilder();
            options.teacherCache().forEach(folder -> identities.append(TeacherCache.identity(Path.of(folder))));
            companions.put("teacher_cache", Manifest.hash(identities.toString().getBytes(StandardCharsets.US_ASCII)));
        }
        if (options.ewc() != null) {
            companions.put("ewc", file(Path.of(options.ewc())));
        }
        return companions;
    }

    /** Of a model's folder: its configuration and its weights. */
    public static String model(Path folder) {
        List<Path> files = new ArrayList<>(List.of(folder.resolve("config.json")));
        try (WeightFiles weights = WeightFiles.open(folder)) {
            files.addAll(weights.paths());
        }
        StringBuilder hashes = new StringBuilder();
        files.forEach(file -> hashes.append(file(file)));
        return Manifest.hash(hashes.toString().getBytes(StandardCharsets.US_ASCII));
    }

    private static String file(Path file) {
        try {
            return Manifest.hash(file);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }
}
