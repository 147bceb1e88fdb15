package dev.whirlwind.training.config;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.DoublePredicate;

/** Values that an option may have. No value at all is none of its business. */
public enum Range {
    ANY(_ -> true, ""),
    POSITIVE(x -> x > 0 && Double.isFinite(x), "above 0"),
    NOT_NEGATIVE(x -> x >= 0 && Double.isFinite(x), "0 or more"),
    ONE_OR_MORE(x -> x >= 1 && Double.isFinite(x), "1 or more"),
    FRACTION(x -> x >= 0 && x < 1, "from 0 to below 1"),
    SHARE(x -> x > 0 && x <= 1, "above 0, and 1 at most"),
    TEMPERATURE(x -> x >= 0.01 && x <= 100, "from 0.01 to 100"),
    /** 0.99999999 is 1 as the float that it becomes. */
    FLOAT_FRACTION(x -> x >= 0 && (float) x < 1, "from 0 to below 1, as a float"),
    OPEN_FRACTION(x -> x > 0 && (float) x < 1, "above 0 and below 1, as a float"),
    LEARNING_RATE(x -> x < 10 && x >= Float.MIN_NORMAL, "above 0, as a float, and below 10"),
    BELOW_THOUSAND(x -> x >= 0 && x < 1000, "from 0 to below 1000"),
    BELOW_TEN(x -> x >= 0 && x < 10, "from 0 to below 10"),
    /** A denominator may be flushed to 0 by a GPU. */
    POSITIVE_FLOAT(
            x -> x >= Float.MIN_NORMAL && x <= Float.MAX_VALUE,
            "above 0, as a float: " + Float.MIN_NORMAL + " or more"),
    CLIP(x -> x == 0 || (x >= Float.MIN_NORMAL && x <= Float.MAX_VALUE), "0 for no clipping, or above 0, as a float"),
    SEQUENCE(x -> x >= 0 && x != 1, "2 or more, or 0 for the model's longest"),
    THREADS(x -> x >= 0 && x <= Range.MOST_THREADS, "from 0 to " + Range.MOST_THREADS),
    /** A path, or a list of paths. */
    PATH(_ -> true, "a path");

    /** Of the cpu engine, which starts them all: more than any machine has cores for. */
    public static final int MOST_THREADS = 1024;

    @SuppressWarnings("ImmutableEnumChecker") // These keep no state.
    private final DoublePredicate allows;

    private final String words;

    Range(DoublePredicate allows, String words) {
        this.allows = allows;
        this.words = words;
    }

    /**
     * Checks a value.
     *
     * @param option how it was given
     * @throws UsageException if it lies outside
     */
    public void check(String option, Object value) {
        if (value instanceof Number number) {
            require(allows.test(number.doubleValue()), option, value, words);
        } else if (this == PATH && value instanceof List<?> paths) {
            require(paths.stream().noneMatch(Objects::isNull), option, value, "a path, or a list of paths");
            paths.forEach(path -> requirePath(option, (String) path));
        } else if (this == PATH && value instanceof String path) {
            requirePath(option, path);
        }
    }

    private static void requirePath(String option, String path) {
        // An empty path would be the working folder; it comes of a shell's variable that is not set.
        require(!path.isEmpty(), option, "\"\"", "a path");
        try {
            Path _ = Path.of(path);
        } catch (InvalidPathException e) {
            throw new UsageException(
                    option + " is \"" + Reason.cited(path) + "\", which no file can be called (" + e.getReason() + ")",
                    e);
        }
    }

    /** Throws unless an option's value holds, which may depend on others. */
    public static void require(boolean holds, String option, Object value, String words) {
        if (!holds) {
            throw new UsageException(option + " is " + Reason.cited(value) + "; it must be " + words);
        }
    }
}
