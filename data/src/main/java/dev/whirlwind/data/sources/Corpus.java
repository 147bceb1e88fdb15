package dev.whirlwind.data.sources;

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

    /** What a file was read as. */
    enum Kind {
        TEXT("plain text", "plain texts"),
        ROWS("file of JSON rows", "files of JSON rows"),
        ARCHIVE("archive", "archives"),

        /** Rows of other objects, or a single object: it is text, but may have been meant otherwise. */
        OTHER_JSON(
                "JSON file that is no rows with a text, as plain text",
                "JSON files that are no rows with a text, as plain text");

        final String one;
        final String many;

        Kind(String one, String many) {
            this.one = one;
            this.many = many;
        }
    }

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

        /** Something that holds no text, or none that can be read. */
        void passedOver(PassedOver what);

        /** A file that is read, before its documents come. */
        default void found(Kind kind, String name) {}
    }

    /**
     * Files, folders (with all below them, in name order; hidden ones excepted), zip and tar archives of files, and pipes.
     * What a file holds is told by its content, see {@link Rows#recognise}: a document of plain text, or rows of JSON,
     * each a document by its field {@code text}. Files that are gzipped are unpacked. Files that are not UTF-8 or hold NUL
     * bytes are passed over, and so are such rows.
     *
     * @param except folders that are passed over when they lie in others: those that the run itself writes to
     * @throws UserException when one of the paths does not exist, or is a device
     */
    static Corpus of(List<Path> paths, Path... except) {
        return new FileCorpus(paths, List.of(except));
    }
}
