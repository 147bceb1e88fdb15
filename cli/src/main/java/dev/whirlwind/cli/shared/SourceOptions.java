package dev.whirlwind.cli.shared;

import dev.whirlwind.data.sources.formats.Formats;
import dev.whirlwind.data.sources.formats.ReadOptions;
import dev.whirlwind.data.sources.formats.ReadOptions.LineEnds;
import dev.whirlwind.data.sources.formats.ReadOptions.OnBadLine;
import dev.whirlwind.data.sources.formats.Selection;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import java.nio.charset.Charset;
import picocli.CommandLine.Option;

/** How texts are read. */
public final class SourceOptions {
    @Option(
            names = "--field",
            paramLabel = "NAME",
            description =
                    "The field or column of rows that is their text; inside of others as in meta.text. Default: text.")
    private String field;

    @Option(
            names = "--template",
            paramLabel = "TEXT",
            description = "Makes the text of several fields instead: \"{title}\\n\\n{body}\".")
    private String template;

    @Option(
            names = "--on-bad-line",
            paramLabel = "stop|skip",
            defaultValue = "stop",
            description =
                    "What to do about a broken row: stop and name it (the default), or leave it out and count it.")
    private OnBadLine badLine;

    @Option(
            names = "--encoding",
            paramLabel = "NAME",
            defaultValue = "UTF-8",
            description =
                    "Of texts that begin with no byte order mark: ISO-8859-1, UTF-16LE, ... Default: ${DEFAULT-VALUE}.")
    private String encoding;

    @Option(
            names = "--line-ends",
            paramLabel = "keep|lf",
            defaultValue = "keep",
            description = "What becomes of CR LF: it stays (the default), or becomes LF.")
    private LineEnds lineEnds;

    @Option(
            names = "--as",
            paramLabel = "FORMAT",
            description = "Read every file as one format, whatever it looks like: text, json, csv, tsv, parquet, arrow,"
                    + " html, pdf, warc, mediawiki, office, tokens, uint16 or uint32 (tokens without a header).")
    private String as;

    /** As they were given. */
    public ReadOptions options() {
        if (field != null && template != null) {
            throw new UsageException("--field and --template both say what the text of a row is: give one of them");
        }
        if (as != null && !Formats.names().contains(as)) {
            throw new UsageException("--as " + Reason.cited(as) + ": is none of " + String.join(", ", Formats.names()));
        }
        Selection selection = template != null
                ? Selection.template(template)
                : field != null ? Selection.field(field) : Selection.TEXT;
        return new ReadOptions(selection, field != null || template != null, badLine, charset(), lineEnds, as);
    }

    private Charset charset() {
        try {
            return Charset.forName(encoding);
        } catch (IllegalArgumentException e) {
            throw new UsageException("--encoding " + Reason.cited(encoding)
                    + ": is no encoding that this Java knows; some are UTF-8, UTF-16LE, ISO-8859-1 and windows-1252");
        }
    }
}
