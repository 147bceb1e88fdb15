package dev.whirlwind.data.sources.formats;

import dev.hardwood.InputFile;
import dev.hardwood.metadata.PhysicalType;
import dev.hardwood.metadata.RepetitionType;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.row.StructAccessor;
import dev.hardwood.schema.ColumnProjection;
import dev.hardwood.schema.SchemaNode;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Parquet, by hardwood, which reads only the columns that are needed. A row is a document by its column. */
final class Parquet implements Format {
    private static final byte[] MAGIC = {'P', 'A', 'R', '1'};

    /** The first byte of a page's header, which no text holds. */
    private static final int PAGE = 0x15;

    @Override
    public String name() {
        return "parquet";
    }

    @Override
    public Kind kind() {
        return Kind.PARQUET;
    }

    @Override
    public boolean recognises(Input file) throws IOException {
        byte[] start = file.start(MAGIC.length + 1);
        return file.startsWith(MAGIC)
                && (file.isNamed(".parquet") || (start.length > MAGIC.length && start[4] == PAGE));
    }

    @Override
    public DocumentReader open(Input file) throws IOException {
        FileChannel channel = file.channel();
        Selection selection = file.options().selection();
        return new Ahead(() -> open(channel, selection));
    }

    private static DocumentReader open(FileChannel channel, Selection selection) throws IOException {
        try {
            ParquetFileReader reader = ParquetFileReader.open(new Channel(channel));
            SchemaNode.GroupNode root = reader.getFileSchema().getRootNode();
            for (String path : selection.paths()) {
                requireText(root, path, selection);
            }
            RowReader rows = reader.buildRowReader()
                    .projection(ColumnProjection.columns(selection.paths().toArray(String[]::new)))
                    .build();
            return new Rows(channel, reader, rows, selection);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private static void requireText(SchemaNode.GroupNode root, String path, Selection selection) throws MissingField {
        SchemaNode node = root;
        for (String name : path.split("\\.", -1)) {
            SchemaNode.GroupNode group = node instanceof SchemaNode.GroupNode g ? g : null;
            node = group == null
                    ? null
                    : group.children().stream()
                            .filter(child -> child.name().equals(name))
                            .findFirst()
                            .orElse(null);
            if (node == null) {
                throw MissingField.column(
                        path, root.children().stream().map(SchemaNode::name).toList());
            }
        }
        boolean scalar = node instanceof SchemaNode.PrimitiveNode p && p.repetitionType() != RepetitionType.REPEATED;
        boolean text = scalar && ((SchemaNode.PrimitiveNode) node).type() == PhysicalType.BYTE_ARRAY;
        if (!text && !(scalar && selection.isTemplate())) {
            throw MissingField.notText(
                    path, node instanceof SchemaNode.PrimitiveNode p ? p.type().name() : "a group, a list or a map");
        }
    }

    private static final class Rows implements DocumentReader {
        private final FileChannel channel;
        private final ParquetFileReader reader;
        private final RowReader rows;
        private final Selection selection;
        private long row;

        Rows(FileChannel channel, ParquetFileReader reader, RowReader rows, Selection selection) {
            this.channel = channel;
            this.reader = reader;
            this.rows = rows;
            this.selection = selection;
        }

        @Override
        public Document next() {
            if (!rows.hasNext()) {
                return null;
            }
            rows.next();
            return new Document.Text(":" + ++row, selection.text(path -> value(rows, path)));
        }

        private static String value(StructAccessor struct, String path) {
            int dot = path.indexOf('.');
            String name = dot < 0 ? path : path.substring(0, dot);
            if (struct.isNull(name)) {
                return null;
            }
            if (dot >= 0) {
                return value(struct.getStruct(name), path.substring(dot + 1));
            }
            Object value = struct.getValue(name);
            return value instanceof byte[] bytes ? new String(bytes, StandardCharsets.UTF_8) : value.toString();
        }

        @Override
        public void close() throws IOException {
            try (channel) {
                rows.close();
                reader.close();
            }
        }
    }

    /** Read by position: of a mapped file that is cut meanwhile the process would end. */
    private record Channel(FileChannel channel) implements InputFile {
        /** It tells which of its decoders it uses. */
        private static final Logger LOG = Logger.getLogger("dev.hardwood");

        static {
            LOG.setLevel(Level.WARNING);
        }

        @Override
        public void open() {}

        @Override
        public ByteBuffer readRange(long offset, int length) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocate(length);
            while (bytes.hasRemaining()) {
                if (channel.read(bytes, offset + bytes.position()) < 0) {
                    throw new EOFException();
                }
            }
            return bytes.flip();
        }

        @Override
        public long length() throws IOException {
            return channel.size();
        }

        @Override
        public String name() {
            return "it";
        }

        @Override
        public void close() {}
    }
}
