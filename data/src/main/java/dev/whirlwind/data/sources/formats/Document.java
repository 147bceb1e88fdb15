package dev.whirlwind.data.sources.formats;

/** What comes next out of a file. A label is what follows the file's name in a document's: {@code ":12"}, or nothing. */
public sealed interface Document {
    String label();

    /** A whole document. */
    record Text(String label, String text) implements Document {}

    /** A document that is tokens already, or a piece of it. */
    @SuppressWarnings("ArrayRecordComponent") // Handed on, never compared.
    record Tokens(String label, int[] ids, boolean last) implements Document {}

    /** A row that holds no text, which is passed over. */
    record Passed(String label, String reason) implements Document {}

    /** A row that is broken: the user says whether to stop or to skip it. */
    record Broken(String label, String reason, String advice) implements Document {}
}
