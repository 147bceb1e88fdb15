package dev.whirlwind.data.sources.formats;

import java.io.IOException;
import org.apache.pdfbox.Loader;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.encryption.InvalidPasswordException;
import org.apache.pdfbox.text.PDFTextStripper;

/** The text layer of a PDF document, by Apache PDFBox, page after page. Pictures of text are none. */
final class Pdf implements Format {
    private static final byte[] MAGIC = {'%', 'P', 'D', 'F', '-'};

    static {
        // Its list of the system's fonts, which it looks at where a document has not its own, is not for the user's
        // home.
        if (System.getProperty("pdfbox.fontcache") == null) {
            System.setProperty("pdfbox.fontcache", System.getProperty("java.io.tmpdir"));
        }
    }

    @Override
    public String name() {
        return "pdf";
    }

    @Override
    public Kind kind() {
        return Kind.PDF;
    }

    @Override
    public boolean recognises(Input file) throws IOException {
        return file.startsWith(MAGIC);
    }

    @Override
    public DocumentReader open(Input file) {
        return new Single(file.in(), "the PDF document", Pdf::text);
    }

    private static String text(byte[] file) throws IOException {
        try (PDDocument document = Loader.loadPDF(file)) {
            PDFTextStripper text = new PDFTextStripper();
            // The same on every system.
            text.setLineSeparator("\n");
            return text.getText(document);
        } catch (InvalidPasswordException e) {
            throw new IOException("it asks for a password", e);
        }
    }
}
