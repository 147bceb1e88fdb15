package dev.whirlwind.training.checkpoints;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.weights.WeightFiles;
import dev.whirlwind.training.config.RegularisationOptions;
import dev.whirlwind.training.distillation.TeacherCache;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.zip.CRC32C;

/**
 * What a run learns from beside its texts, told by SHA-256 of what the files hold: with another teacher under the same name it
 * would end elsewhere.
 */
public final class Companions {
    /** Ranges of a file that is read in samples, and bytes of one. */
    private static final int RANGES = 64;

    private static final int RANGE = 1 << 14;

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

    /**
     * Of a base model's folder, which may be too large to be read whole at every start: its configuration, and of each file of
     * weights the size, the beginning and ranges that are spread over it. Training changes all of a model.
     */
    public static String base(Path folder) {
        StringBuilder samples = new StringBuilder(file(folder.resolve("config.json")));
        List<Path> files;
        try (WeightFiles weights = WeightFiles.open(folder)) {
            files = weights.paths();
        }
        ByteBuffer range = ByteBuffer.allocate(RANGE);
        for (Path file : files) {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                CRC32C crc = new CRC32C();
                long size = channel.size();
                for (int i = 0; i < RANGES; i++) {
                    range.clear();
                    int read = channel.read(range, Math.max(0, size - RANGE) * i / (RANGES - 1));
                    crc.update(range.array(), 0, Math.max(0, read));
                }
                samples.append(' ').append(size).append(' ').append(crc.getValue());
            } catch (IOException e) {
                throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
            }
        }
        return Manifest.hash(samples.toString().getBytes(StandardCharsets.US_ASCII));
    }

    private static String file(Path file) {
        try {
            return Manifest.hash(file);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }
}
