package dev.whirlwind.data.sources.formats;

import com.google.flatbuffers.Table;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.arrow.flatbuf.DictionaryBatch;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;

/**
 * Arrow's inter-process format, as a stream (what Hugging Face's datasets save) or as a file (Feather), whose messages are
 * the same. Their metadata is read by Arrow's own classes, the values at their places in the file ({@link ArrowColumn}), so
 * that a batch may have any size.
 */
final class Arrow implements Format {
    private static final byte[] FILE = {'A', 'R', 'R', 'O', 'W', '1', 0, 0};
    private static final byte[] STREAM = {(byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF};
    private static final int LONGEST_METADATA = 64 << 20;

    @Override
    public String name() {
        return "arrow";
    }

    @Override
    public Kind kind() {
        return Kind.ARROW;
    }

    @Override
    public boolean recognises(Input file) throws IOException {
        return file.startsWith(FILE) || file.startsWith(STREAM);
    }

    @Override
    public DocumentReader open(Input file) throws IOException {
        boolean begun = false;
        long from = file.startsWith(FILE) ? FILE.length : 0;
        FileChannel channel = file.channel();
        try {
            Rows rows = new Rows(channel, from, file.options().selection());
            rows.begin();
            begun = true;
            return rows;
        } finally {
            if (!begun) {
                channel.close();
            }
        }
    }

    private static final class Rows implements DocumentReader {
        private final FileChannel channel;
        private final Selection selection;
        private final Map<Long, ArrowColumn.Dictionary> dictionaries = new HashMap<>();
        private final Map<String, ArrowColumn> columns = new HashMap<>();
        private long position;
        private long bodyLength;
        private Schema schema;
        private long row;
        private long rowInBatch;
        private long batchRows;

        Rows(FileChannel channel, long position, Selection selection) {
            this.channel = channel;
            this.position = position;
            this.selection = selection;
        }

        void begin() throws IOException {
            Message message = message();
            if (message == null || message.headerType() != MessageHeader.Schema) {
                throw new IOException("damaged: it begins with no schema");
            }
            schema = (Schema) message.header(new Schema());
            if (schema.endianness() != 0) {
                throw new IOException("its numbers are big-endian; write it on a little-endian machine");
            }
            position += bodyLength;
            for (String path : selection.paths()) {
                requireText(path);
            }
        }

        private void requireText(String path) throws MissingField {
            List<Field> top = new ArrayList<>();
            for (int i = 0; i < schema.fieldsLength(); i++) {
                top.add(schema.fields(i));
            }
            List<Field> level = top;
            Field field = null;
            for (String name : path.split("\\.", -1)) {
                field = level.stream()
                        .filter(f -> name.equals(f.name()))
                        .findFirst()
                        .orElse(null);
                if (field == null) {
                    throw MissingField.column(
                            path, top.stream().map(Field::name).toList());
                }
                level = ArrowColumn.isStruct(field) ? ArrowColumn.children(field) : List.of();
            }
            if (!ArrowColumn.isText(field) && !(selection.isTemplate() && ArrowColumn.isScalar(field))) {
                throw MissingField.notText(path, ArrowColumn.typeName(field));
            }
        }

        @Override
        public Document next() throws IOException {
            while (rowInBatch == batchRows) {
                if (!nextBatch()) {
                    return null;
                }
            }
            Map<String, String> values = new HashMap<>();
            for (String path : selection.paths()) {
                values.put(path, columns.get(path).text(rowInBatch));
            }
            rowInBatch++;
            return new Document.Text(":" + ++row, selection.text(values::get));
        }

        /** Goes on to the next batch of rows, past dictionaries; false at the end. */
        private boolean nextBatch() throws IOException {
            for (Message message = message(); message != null; message = message()) {
                long body = position;
                position += bodyLength;
                if (position > channel.size()) {
                    throw new EOFException();
                }
                Table header = switch (message.headerType()) {
                    case MessageHeader.RecordBatch -> message.header(new RecordBatch());
                    case MessageHeader.DictionaryBatch -> message.header(new DictionaryBatch());
                    default -> null;
                };
                if (header instanceof RecordBatch batch) {
                    ArrowBatch places = new ArrowBatch(channel, body, bodyLength, batch);
                    columns.clear();
                    for (int i = 0; i < schema.fieldsLength(); i++) {
                        ArrowColumn.of(schema.fields(i), places, dictionaries, "", columns);
                    }
                    batchRows = batch.length();
                    for (String path : selection.paths()) {
                        columns.get(path).requireRows(batchRows);
                    }
                    rowInBatch = 0;
                    return true;
                }
                if (header instanceof DictionaryBatch batch) {
                    ArrowColumn.Dictionary dictionary =
                            dictionaries.computeIfAbsent(batch.id(), _ -> new ArrowColumn.Dictionary());
                    Field field = ArrowColumn.withDictionary(schema, batch.id());
                    if (field != null) {
                        ArrowBatch places = new ArrowBatch(channel, body, bodyLength, batch.data());
                        dictionary.add(
                                ArrowColumn.values(field, places, dictionaries),
                                batch.data().length(),
                                batch.isDelta());
                    }
                }
            }
            return false;
        }

        /** The next message's metadata, behind which its body lies; null at the end. */
        private Message message() throws IOException {
            if (position == channel.size()) {
                return null;
            }
            int length = read(position, 4).getInt();
            position += 4;
            if (length == -1) {
                length = read(position, 4).getInt();
                position += 4;
            }
            if (length == 0) {
                return null;
            }
            if (length < 0 || length > LONGEST_METADATA) {
                throw new IOException("damaged: a message whose metadata has " + length + " bytes");
            }
            Message message = Message.getRootAsMessage(read(position, length));
            position += length;
            bodyLength = message.bodyLength();
            if (bodyLength < 0) {
                throw new IOException("damaged: a message of " + bodyLength + " bytes");
            }
            return message;
        }

        private ByteBuffer read(long from, int length) throws IOException {
            if (length > channel.size() - from) {
                throw new EOFException();
            }
            return ArrowBatch.read(channel, from, length).order(ByteOrder.LITTLE_ENDIAN);
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
