package dev.whirlwind.data.sources.formats;

import java.nio.charset.Charset;

/**
 * How files are read.
 *
 * @param selection what of a row is its document
 * @param selected whether the user has said so
 * @param badLine what to do about a broken row
 * @param encoding of texts without a byte order mark
 * @param lineEnds what becomes of CR LF
 * @param as the {@link Format#name} that every file is read as, whatever it looks like; null to tell by its content
 */
public record ReadOptions(
        Selection selection, boolean selected, OnBadLine badLine, Charset encoding, LineEnds lineEnds, String as) {
    /** The field {@code text}, UTF-8, and all as it is. */
    public static final ReadOptions DEFAULT = new ReadOptions(
            Selection.TEXT, false, OnBadLine.STOP, java.nio.charset.StandardCharsets.UTF_8, LineEnds.KEEP, null);

    /** What to do about a broken row: stop, or pass over it and count it. */
    public enum OnBadLine {
        STOP,
        SKIP
    }

    /** What becomes of CR LF: it stays, or becomes LF. */
    public enum LineEnds {
        KEEP,
        LF
    }
}
