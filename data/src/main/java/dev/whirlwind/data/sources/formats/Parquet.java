package dev.whirlwind.data.sources.formats;

import dev.hardwood.InputFile;
import dev.hardwood.metadata.LogicalType;
import dev.hardwood.metadata.PhysicalType;
import dev.hardwood.metadata.RepetitionType;
import dev.hardwood.reader.ColumnReader;
import dev.hardwood.reader.ColumnReaders;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.Validity;
import dev.hardwood.schema.ColumnProjection;
import dev.hardwood.schema.SchemaNode;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Parquet, by hardwood, which reads only the columns that are needed. A row is a document by its column. */
final class Parquet implements Format {
    private static final byte[] MAGIC = {'P', 'A', 'R', '1'};

    /** Rows that are in memory at once, several times over; hardwood would take half a million. */
    private static final int BATCH = 128;

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
            ColumnReaders columns = reader.buildColumnReaders(
                            ColumnProjection.columns(selection.paths().toArray(String[]::new)))
                    .batchSize(BATCH)
                    .build();
            return new Rows(channel, reader, columns, selection);
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
        PhysicalType type = scalar ? ((SchemaNode.PrimitiveNode) node).type() : null;
        boolean fits = type == PhysicalType.BYTE_ARRAY
                || (scalar && selection.isTemplate() && isNumber((SchemaNode.PrimitiveNode) node));
        if (!fits) {
            throw MissingField.notText(path, scalar ? type.name() : "a group, a list or a map");
        }
    }

    /** Of dates and decimals only the numbers would be left that they are stored as. */
    private static boolean isNumber(SchemaNode.PrimitiveNode column) {
        boolean plain = column.logicalType() == null || column.logicalType() instanceof LogicalType.IntType;
        return plain
                && switch (column.type()) {
                    case BOOLEAN, INT32, INT64, FLOAT, DOUBLE -> true;
                    default -> false;
                };
    }

    private static final class Rows implements DocumentReader {
        private final FileChannel channel;
        private final ParquetFileReader reader;
        private final ColumnReaders columns;
        private final Selection selection;
        private final Map<String, IntFunction<String>> values = new HashMap<>();
        private int at;
        private int rows;
        private long row;

        Rows(FileChannel channel, ParquetFileReader reader, ColumnReaders columns, Selection selection) {
            this.channel = channel;
            this.reader = reader;
            this.columns = columns;
            this.selection = selection;
        }

        @Override
        public Document next() throws IOException {
            while (at == rows) {
                if (!columns.nextBatch()) {
                    return null;
                }
                rows = columns.getRecordCount();
                at = 0;
                for (int i = 0; i < columns.getColumnCount(); i++) {
                    ColumnReader column = columns.getColumnReader(i);
                    values.put(column.getColumnSchema().fieldPath().toString(), values(column));
                }
            }
            int place = at++;
            return new Document.Text(
                    ":" + ++row, selection.text(path -> values.get(path).apply(place)));
        }

        /** The values of a batch as text, null where there is none; one for each row, as nothing is repeated. */
        private IntFunction<String> values(ColumnReader column) throws IOException {
            if (column.getValueCount() != rows) {
                throw new IOException(
                        "damaged: a column with " + column.getValueCount() + " values for " + rows + " rows");
            }
            IntFunction<String> texts = switch (column.getColumnSchema().type()) {
                case BYTE_ARRAY -> {
                    byte[][] bytes = column.getBinaries();
                    yield i -> new String(bytes[i], StandardCharsets.UTF_8);
                }
                case INT32 -> {
                    int[] numbers = column.getInts();
                    yield i -> String.valueOf(numbers[i]);
                }
                case INT64 -> {
                    long[] numbers = column.getLongs();
                    yield i -> String.valueOf(numbers[i]);
                }
                case FLOAT -> {
                    float[] numbers = column.getFloats();
                    yield i -> String.valueOf(numbers[i]);
                }
                case DOUBLE -> {
                    double[] numbers = column.getDoubles();
                    yield i -> String.valueOf(numbers[i]);
                }
                default -> {
                    boolean[] numbers = column.getBooleans();
                    yield i -> String.valueOf(numbers[i]);
                }
            };
            Validity leaves = column.getLeafValidity();
            return i -> leaves.isNull(i) ? null : texts.apply(i);
        }

        @Override
        public void close() throws IOException {
            try (channel) {
                columns.close();
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
