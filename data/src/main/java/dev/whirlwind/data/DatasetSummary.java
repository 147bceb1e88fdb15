package dev.whirlwind.data;

import dev.whirlwind.data.sources.Reading;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.WholeFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a prepared folder holds and what made it: its {@code dataset.json}, written last, so a folder that has it is
 * whole.
 *
 * @param tokenizer SHA-256 of tokenizer.json, in hexadecimal
 * @param vocabulary ids of the tokenizer
 * @param endOfText the id that joins documents
 * @param endOfTextToken its name
 * @param endOfTextFrom the file that names it
 * @param before ids that the tokenizer puts before each document
 * @param after ids that follow each document
 * @param heldOut the fraction of the bytes asked for as {@code valid}
 * @param seed what, with a document's content, decides its split
 * @param heldOutBy {@code document}, or {@code position} where the corpus is a single document, whose end is held out
 * @param skippedFiles files and folders that were passed over
 * @param skippedRows rows of files that were
 * @param skipped the first hundred of both, with the reason for each
 * @param leftOut documents that were left out as copies of others; null in folders prepared before that was done
 * @param specialTokens what their names were taken for, {@code text} or {@code parse}; null for the latter in older ones
 * @param statistics of the tokens; null where there are none
 */
public record DatasetSummary(
        String tokenizer,
        int vocabulary,
        int endOfText,
        String endOfTextToken,
        String endOfTextFrom,
        List<Integer> before,
        List<Integer> after,
        double heldOut,
        long seed,
        String heldOutBy,
        Split train,
        Split valid,
        long skippedFiles,
        long skippedRows,
        Map<String, String> skipped,
        LeftOut leftOut,
        String specialTokens,
        TokenStatistics statistics) {

    static final String FILE = "dataset.json";

    /** So many times more or less than was asked for is worth a warning. */
    private static final double FAR = 2;

    private static final JsonMapper JSON =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    /** Documents that were left out, and their bytes; {@code left-out.jsonl} names them. */
    public record LeftOut(long copies, long nearCopies, long bytes) {}

    /** The same with statistics. */
    DatasetSummary with(TokenStatistics found) {
        return new DatasetSummary(
                tokenizer,
                vocabulary,
                endOfText,
                endOfTextToken,
                endOfTextFrom,
                before,
                after,
                heldOut,
                seed,
                heldOutBy,
                train,
                valid,
                skippedFiles,
                skippedRows,
                skipped,
                leftOut,
                specialTokens,
                found);
    }

    /**
     * One side of the split.
     *
     * @param bytes of UTF-8 text
     * @param shards files {@code SPLIT-00000.tokens} onwards
     * @param checksums of each shard, see {@link ShardHeader}; null in folders that were prepared before there were any
     */
    public record Split(long documents, long bytes, long tokens, int shards, List<String> checksums) {
        private boolean isSound() {
            return tokens >= 0
                    && (shards > 0 || (shards == 0 && tokens == 0))
                    && (checksums == null || (checksums.size() == shards && !checksums.contains(null)));
        }
    }

    /** Reads a prepared folder's summary. */
    public static DatasetSummary read(Path folder) {
        Path file = folder.resolve(FILE);
        if (!Files.isRegularFile(file)) {
            throw new UserException(folder + " holds no prepared data (no " + FILE + "): make it with `prepare`");
        }
        try {
            DatasetSummary summary = JSON.readValue(WholeFile.read(file, WholeFile.SETTINGS), DatasetSummary.class);
            boolean sound = summary != null
                    && summary.train != null
                    && summary.train.isSound()
                    && summary.valid != null
                    && summary.valid.isSound();
            if (!sound) {
                throw new UserException(file + " does not say what the folder holds: prepare the data again");
            }
            return summary;
        } catch (IOException e) {
            throw Reading.failure(file, e);
        } catch (JacksonException e) {
            throw new UserException(file + ": broken JSON at " + Reason.of(e) + ": prepare the data again", e);
        }
    }

    /** The part of the text, in bytes, that is held out. */
    public double heldOutShare() {
        return (double) valid.bytes() / Math.max(1, train.bytes() + valid.bytes());
    }

    /**
     * A warning where that is far from what was asked for, as it may be where documents are few or some of them are long:
     * each is on one side as a whole.
     */
    public Optional<String> heldOutWarning() {
        double share = heldOutShare();
        boolean few = heldOut > 0 && (share > FAR * heldOut || share < heldOut / FAR);
        return few
                ? Optional.of(
                        "warning: %.3g %% was to be held out, and %.3g %% of the bytes is, as documents are on one side as a whole (%,d of %,d); split long ones, or give --valid a text of its own"
                                .formatted(
                                        100 * heldOut,
                                        100 * share,
                                        valid.documents(),
                                        train.documents() + valid.documents()))
                : Optional.empty();
    }

    byte[] json() {
        return JSON.writeValueAsBytes(this);
    }
}
