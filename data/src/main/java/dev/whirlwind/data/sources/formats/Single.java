package dev.whirlwind.data.sources.formats;

import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.model.Reason;
import java.io.IOException;
import java.io.InputStream;

/** A file that is one document, which is made from all of it at once. Like a plain text that is none it is passed over as a whole. */
final class Single implements DocumentReader {
    /** Bytes of the longest such file. */
    static final int LONGEST = 256 << 20;

    /** Makes the text. */
    interface Conversion {
        String text(byte[] file) throws IOException;
    }

    private final InputStream in;
    private final String what;
    private final Conversion conversion;
    private boolean done;

    /** @param what errors call such a file */
    Single(InputStream in, String what, Conversion conversion) {
        this.in = in;
        this.what = what;
        this.conversion = conversion;
    }

    @Override
    public Document next() throws IOException {
        if (done) {
            return null;
        }
        done = true;
        byte[] bytes = in.readNBytes(LONGEST + 1);
        if (bytes.length > LONGEST) {
            return passed("has more than " + (LONGEST >> 20) + " MiB: split it");
        }
        try {
            return new Document.Text("", Text.wellFormed(conversion.text(bytes).replace('\0', ' ')));
        } catch (IOException e) {
            return passed("cannot be read: " + Reason.cited(Reason.of(e)));
        } catch (RuntimeException | StackOverflowError e) {
            // What a library throws at a file that is damaged in a way that it did not think of.
            return passed("cannot be read: it is damaged (" + Reason.cited(e) + ")");
        }
    }

    private Document passed(String why) {
        return new Document.Passed("", what + " " + why);
    }
}
