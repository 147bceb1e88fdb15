package dev.whirlwind.data.sources;

import dev.whirlwind.model.UserException;
import java.nio.file.Path;
import java.util.List;

/** A pile of text: documents, in an order that is the same at every reading. */
public interface Corpus {
    /**
     * Reads all of it. Documents need not fit in memory: long ones come in pieces.
     *
     * @throws UserException when something that should be text cannot be read, or a JSON line is broken
     */
    void read(Sink sink);

    /** What error messages call it. */
    String name();

    /** Takes the documents of a corpus. */
    interface Sink {
        /**
         * The next piece of a document.
         *
         * @param document its name, which is its identity when documents are held out
         * @param last whether the document ends with this piece
         */
        void text(String document, String piece, boolean last);

        /** A file that was passed over because it holds no text. */
        void skipped(String file, String reason);
    }

    /**
     * Files, folders (with all below them, in name order; hidden ones excepted) and zip archives of them. A file is one
     * document; of a {@code .jsonl} file each line is one, its {@code text} field. Either may be gzipped
     * ({@code .gz}). Files that are not UTF-8 or hold NUL bytes are skipped and reported.
     *
     * @throws UserException when one of the paths does not exist
     */
    static Corpus of(List<Path> paths) {
        return new FileCorpus(paths);
    }
}
