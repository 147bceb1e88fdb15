package dev.whirlwind.cli;

import dev.whirlwind.data.DatasetSummary;
import dev.whirlwind.data.TokenDataset;
import dev.whirlwind.data.TokenStatistics;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Reason;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;

/** What a prepared folder is like, for people. */
final class PreparedText {
    private static final int BAR = 40;

    /** Tokens of a document that are shown, and that are looked at to find its beginning. */
    private static final int SHOWN = 80;

    private static final int LOOKED_AT = 1 << 16;

    private PreparedText() {}

    /** How long tokens and documents are, and how much of the vocabulary occurs. */
    static List<String> statistics(DatasetSummary summary) {
        TokenStatistics statistics = summary.statistics();
        List<String> lines = new ArrayList<>();
        lines.add("%.3f bytes a token; %,d of %,d ids occur (%.1f %% of the vocabulary never do)"
                .formatted(
                        statistics.bytesPerToken(),
                        statistics.used(),
                        summary.vocabulary(),
                        100 * statistics.unused()));
        lines.add("documents by length in tokens (longest %,d)".formatted(statistics.longest()));
        long most = statistics.lengths().isEmpty() ? 1 : Collections.max(statistics.lengths());
        boolean begun = false;
        for (int i = 0; i < statistics.lengths().size(); i++) {
            long count = statistics.lengths().get(i);
            begun |= count > 0;
            if (begun) {
                int bar = (int) Math.ceil((double) BAR * count / most);
                lines.add("%,11d to %,11d %,11d %s"
                        .formatted(1L << i, (2L << i) - 1, count, "#".repeat(bar))
                        .stripTrailing());
            }
        }
        return lines;
    }

    /** Documents at places drawn at random, as far as they fit a few lines. */
    static void show(Path folder, Tokenizer tokenizer, int documents, long seed, PrintWriter out) {
        if (documents == 0) {
            return;
        }
        TokenDataset train = TokenDataset.open(folder, TokenDataset.TRAIN, tokenizer.vocabularySize());
        SplittableRandom random = new SplittableRandom(seed);
        for (int i = 0; i < documents; i++) {
            long place = random.nextLong(train.tokens());
            long from = Math.max(0, place - LOOKED_AT);
            int[] before = new int[(int) (place - from)];
            train.read(from, before, 0, before.length);
            int begin = before.length;
            while (begin > 0 && before[begin - 1] != tokenizer.endOfDocument()) {
                begin--;
            }
            long first = begin == 0 && from > 0 ? place : from + begin;
            int[] ids = new int[(int) Math.min(SHOWN, train.tokens() - first)];
            train.read(first, ids, 0, ids.length);
            int length = 0;
            while (length < ids.length && ids[length] != tokenizer.endOfDocument()) {
                length++;
            }
            boolean whole = length < ids.length;
            String text = tokenizer.decode(Arrays.copyOf(ids, Math.min(ids.length, length + 1)));
            out.println("token %,d: %s%s"
                    .formatted(first, Reason.oneLine(text.replace("\n", "\u23CE")), whole ? "" : " ..."));
        }
    }
}
