package dev.whirlwind.data.sources;

import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.data.sources.formats.ReadOptions;
import dev.whirlwind.model.UserException;
import java.nio.file.Path;
import java.util.List;

/** A pile of text: documents, in an order that is the same at every reading. */
public interface Corpus {
    /**
     * Reads all of it. Documents need not fit in memory: long ones come in pieces.
     *
     * @throws UserException when something that should be text cannot be read, or a row of JSON is broken
     */
    void read(Sink sink);

    /** What error messages call it. */
    String name();

    /**
     * What was passed over.
     *
     * @param name as documents are named, within the corpus
     * @param place the same with the path, as errors name it
     */
    record PassedOver(Unit unit, String name, String place, String reason) {
        /** The reason of files and rows whose text is nothing but white space. */
        static final String EMPTY = "empty";

        /** What it is one of. */
        public enum Unit {
            FILE,
            FOLDER,
            ROW,
            DOCUMENT
        }
    }

    /** Takes the documents of a corpus. */
    interface Sink {
        /**
         * The next piece of a document.
         *
         * @param document its name
         * @param last whether the document ends with this piece
         */
        void text(String document, String piece, boolean last);

        /**
         * The next tokens of a file that holds tokens, and no text. Where documents end in it only their end-of-text tokens
         * tell.
         *
         * @param last whether a document ends with them in any case
         */
        default void tokens(String document, int[] ids, boolean last) {
            throw new UserException(document + ": holds tokens, not text: read it with `prepare`");
        }

        /** Something that holds no text, or none that can be read. */
        void passedOver(PassedOver what);

        /** A file that is read, before its documents come. */
        default void found(Kind kind, String name) {}
    }

    /**
     * Files, folders (with all below them, in name order; hidden ones excepted), zip and tar archives of files, patterns of
     * names, pipes, and the standard input ({@code -}). What a file holds is told by its content ({@link
     * dev.whirlwind.data.sources.formats.Formats}): it is a document of plain text, or documents in a form that is known. Files
     * that are compressed are unpacked. Plain texts that are not UTF-8 or hold NUL bytes are passed over, and so are such rows.
     *
     * @param except folders that are passed over when they lie in others: those that the run itself writes to
     * @throws UserException when one of the paths does not exist, or is a device
     */
    static Corpus of(ReadOptions options, List<Path> paths, Path... except) {
        return new FileCorpus(options, paths, List.of(except));
    }

    /** The same, of rows the field {@code text}. */
    static Corpus of(List<Path> paths, Path... except) {
        return of(ReadOptions.DEFAULT, paths, except);
    }
}
