package dev.whirlwind.cli.shared;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.report.ReportPage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Where pages may be written: one takes the place of a page, and of nothing else. */
public final class Pages {
    private Pages() {}

    /**
     * Throws if a page cannot be written there.
     *
     * @param option that names the file
     */
    public static void require(Path file, String option) {
        byte[] signature = ReportPage.SIGNATURE.getBytes(StandardCharsets.UTF_8);
        try {
            Path folder = file.toAbsolutePath().getParent();
            if (folder != null) {
                Storage.createFolders(folder);
            }
            if (!Files.exists(file)) {
                return;
            }
            boolean report = false;
            if (Files.isRegularFile(file)) {
                try (InputStream in = Files.newInputStream(file)) {
                    report = Arrays.equals(in.readNBytes(signature.length), signature);
                }
            }
            if (!report) {
                throw new UserException(file + ": is there, and no report; give " + option + " another file");
            }
        } catch (IOException e) {
            throw new UserException(
                    file + ": cannot be written (" + Reason.of(e) + "); give " + option + " another file", e);
        }
    }
}
