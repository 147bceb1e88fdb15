package dev.whirlwind.data.sources.formats;

/** What a file was read as. */
public enum Kind {
    TEXT("plain text", "plain texts"),
    ROWS("file of JSON rows", "files of JSON rows"),
    TABLE("CSV table", "CSV tables"),
    PARQUET("Parquet file", "Parquet files"),
    ARROW("Arrow file", "Arrow files"),
    PAGE("HTML page", "HTML pages"),
    PDF("PDF document", "PDF documents"),
    WARC("web archive (WARC)", "web archives (WARC)"),
    WIKI("MediaWiki dump", "MediaWiki dumps"),
    OFFICE("word processor's document or e-book", "word processors' documents or e-books"),
    TOKENS("file of tokens", "files of tokens"),
    ARCHIVE("archive", "archives"),

    /** Rows of other objects, or a single object: it is text, but may have been meant otherwise. */
    OTHER_JSON(
            "JSON file that is no rows with a text, as plain text",
            "JSON files that are no rows with a text, as plain text");

    private final String one;
    private final String many;

    Kind(String one, String many) {
        this.one = one;
        this.many = many;
    }

    /** So many of them, in words. */
    public String words(long count) {
        return "%,d %s".formatted(count, count == 1 ? one : many);
    }
}
