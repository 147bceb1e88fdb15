package dev.whirlwind.data.sources.formats;

import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.model.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.netpreserve.jwarc.HttpResponse;
import org.netpreserve.jwarc.MediaType;
import org.netpreserve.jwarc.ParsingException;
import org.netpreserve.jwarc.WarcConversion;
import org.netpreserve.jwarc.WarcPayload;
import org.netpreserve.jwarc.WarcReader;
import org.netpreserve.jwarc.WarcRecord;
import org.netpreserve.jwarc.WarcResource;
import org.netpreserve.jwarc.WarcResponse;
import org.netpreserve.jwarc.WarcTargetRecord;

/**
 * Web archives, by jwarc: of WET files the texts, of WARC files the text of HTML pages and plain texts that were answered with
 * status 200. Fields that may be selected are {@code text} and {@code url}.
 */
final class Warc implements Format {
    private static final byte[] MAGIC = {'W', 'A', 'R', 'C', '/'};
    private static final int LONGEST = 64 << 20;
    private static final int OK = 200;

    @Override
    public String name() {
        return "warc";
    }

    @Override
    public Kind kind() {
        return Kind.WARC;
    }

    @Override
    public boolean recognises(Input file) throws IOException {
        return file.startsWith(MAGIC);
    }

    @Override
    public DocumentReader open(Input file) throws IOException {
        Selection selection = file.options().selection();
        for (String path : selection.paths()) {
            if (!path.equals("text") && !path.equals("url")) {
                throw MissingField.column(path, java.util.List.of("text", "url"));
            }
        }
        return new Records(new WarcReader(file.in()), selection);
    }

    private static final class Records implements DocumentReader {
        private final WarcReader records;
        private final Selection selection;
        private long number;

        Records(WarcReader records, Selection selection) {
            this.records = records;
            this.selection = selection;
        }

        @Override
        public Document next() throws IOException {
            for (Optional<WarcRecord> record = advance(); record.isPresent(); record = advance()) {
                number++;
                if (record.get() instanceof WarcTargetRecord target && holdsText(target)) {
                    return document(target);
                }
            }
            return null;
        }

        private Optional<WarcRecord> advance() throws IOException {
            try {
                return records.next();
            } catch (ParsingException e) {
                throw new DamagedRow(
                        ":" + (number + 1), "damaged (" + Reason.cited(e.getMessage()) + "): get it anew", e);
            }
        }

        /** Requests, metadata and repeated visits are left out without a word. */
        private static boolean holdsText(WarcTargetRecord record) {
            return record instanceof WarcConversion || record instanceof WarcResponse || record instanceof WarcResource;
        }

        private Document document(WarcTargetRecord record) throws IOException {
            String label = ":" + number;
            String text;
            MediaType type;
            try {
                InputStream body;
                if (record instanceof WarcResponse response) {
                    if (!response.contentType().base().equals(MediaType.HTTP)) {
                        return new Document.Passed(label, "no answer of a web server");
                    }
                    HttpResponse http = response.http();
                    if (http.status() != OK) {
                        return new Document.Passed(label, "status " + http.status());
                    }
                    type = http.contentType();
                    body = http.bodyDecoded().stream();
                } else {
                    Optional<WarcPayload> payload = record.payload();
                    type = payload.map(WarcPayload::type).orElse(record.contentType());
                    body = payload.isPresent() ? payload.get().body().stream() : record.body().stream();
                }
                boolean html =
                        type.base().equals(MediaType.HTML) || type.subtype().equals("xhtml+xml");
                if (!html && !type.base().equals(MediaType.PLAIN_TEXT)) {
                    return new Document.Passed(label, "no text but " + Reason.cited(type.base()));
                }
                byte[] bytes = body.readNBytes(LONGEST + 1);
                if (bytes.length > LONGEST) {
                    return new Document.Passed(label, "longer than " + (LONGEST >> 20) + " MiB");
                }
                String encoding = encoding(type);
                text = html ? Page.text(bytes, encoding) : decoded(bytes, encoding);
            } catch (CharacterCodingException e) {
                return new Document.Passed(label, "not in the encoding that it names");
            } catch (ParsingException | UncheckedIOException e) {
                return new Document.Broken(
                        label, "damaged record (" + Reason.cited(e.getMessage()) + ")", "get the archive anew");
            }
            String words = text;
            return new Document.Text(
                    label,
                    Text.wellFormed(selection
                            .text(path -> path.equals("url") ? record.target() : words)
                            .replace('\0', ' ')));
        }

        private static String encoding(MediaType type) {
            String name = type.parameters().get("charset");
            try {
                return name != null && Charset.isSupported(name) ? name : null;
            } catch (IllegalArgumentException e) {
                return null;
            }
        }

        private static String decoded(byte[] bytes, String encoding) throws CharacterCodingException {
            Charset charset = encoding == null ? StandardCharsets.UTF_8 : Charset.forName(encoding);
            return charset.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        }

        @Override
        public void close() throws IOException {
            records.close();
        }
    }
}
