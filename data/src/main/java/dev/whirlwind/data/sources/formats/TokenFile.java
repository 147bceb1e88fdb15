package dev.whirlwind.data.sources.formats;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Tokens that another program made: llm.c's (a header of 256 numbers, then the tokens), Megatron's (NAME.bin, told of by
 * NAME.idx), and plain arrays of them, as nanoGPT writes, which only the user can tell ({@link #RAW}).
 */
final class TokenFile implements Format {
    /** Little-endian arrays without any header. */
    static final List<Format> RAW = List.of(new Raw("uint16", 2), new Raw("uint32", 4));

    private static final byte[] INDEX = {'M', 'M', 'I', 'D', 'I', 'D', 'X', 0, 0};

    /** llm.c's data_common.h and its scripts: GPT-2's tokens have 16 bits, Llama 3's 32. */
    private static final int LLM_C_GPT2 = 20240520;

    private static final int LLM_C_LLAMA3 = 20240801;
    private static final int LLM_C_HEADER = 256 * Integer.BYTES;
    private static final int CHUNK = 1 << 16;

    @Override
    public String name() {
        return "tokens";
    }

    @Override
    public Kind kind() {
        return Kind.TOKENS;
    }

    @Override
    public boolean recognises(Input file) throws IOException {
        return file.startsWith(INDEX) || llmC(file) > 0 || indexOf(file) != null;
    }

    /** Bytes of a token, or 0 for what is not llm.c's. */
    private static int llmC(Input file) throws IOException {
        byte[] start = file.start(Integer.BYTES);
        int magic = start.length < Integer.BYTES ? 0 : little(start).getInt();
        return magic == LLM_C_GPT2 ? 2 : magic == LLM_C_LLAMA3 ? 4 : 0;
    }

    /** The NAME.idx of a NAME.bin. */
    private static Path indexOf(Input file) throws IOException {
        if (file.path() == null || !file.isNamed(".bin")) {
            return null;
        }
        Path index = sibling(file.path(), ".idx");
        if (!Files.isRegularFile(index)) {
            return null;
        }
        try (InputStream in = Files.newInputStream(index)) {
            return ByteBuffer.wrap(in.readNBytes(INDEX.length)).equals(ByteBuffer.wrap(INDEX)) ? index : null;
        }
    }

    private static Path sibling(Path path, String ending) {
        String name = path.getFileName().toString();
        return path.resolveSibling(name.substring(0, name.length() - ending.length()) + ending);
    }

    private static ByteBuffer little(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public DocumentReader open(Input file) throws IOException {
        int size = llmC(file);
        if (size > 0) {
            byte[] header = file.in().readNBytes(LLM_C_HEADER);
            if (header.length < LLM_C_HEADER) {
                throw new EOFException();
            }
            long tokens = little(header).getInt(8) & 0xFFFFFFFFL;
            return new Array(file.in(), size, tokens);
        }
        if (file.path() == null) {
            throw new IOException("an index of tokens inside of something else: unpack it, with its .bin");
        }
        if (file.startsWith(INDEX)) {
            // Its tokens come with NAME.bin, which is read where it lies.
            Path data = sibling(file.path(), ".bin");
            if (!Files.isRegularFile(data)) {
                throw new IOException("the tokens that it tells of, " + data.getFileName() + ", are missing");
            }
            return Megatron.open(file.path(), data);
        }
        return Megatron.open(indexOf(file), file.path());
    }

    /** Tokens one after the other; where documents end only their end-of-text tokens tell. */
    private static final class Array implements DocumentReader {
        private final InputStream in;
        private final int size;

        /** Of tokens that are left, or -1 where only the end of the file tells. */
        private long left;

        private boolean ended;

        Array(InputStream in, int size, long tokens) {
            this.in = in;
            this.size = size;
            left = tokens;
        }

        @Override
        public Document next() throws IOException {
            if (ended) {
                return null;
            }
            int most = (int) (left < 0 ? CHUNK : Math.min(CHUNK, left));
            byte[] bytes = in.readNBytes(most * size);
            if (bytes.length < most * size && left >= 0) {
                throw new EOFException();
            }
            if (bytes.length % size != 0) {
                throw new IOException(
                        "its length is no whole number of tokens of " + size + " bytes: is it of another" + " type?");
            }
            if (left >= 0) {
                left -= most;
                if (left == 0 && in.read() >= 0) {
                    throw new IOException("damaged: it holds more than the tokens that its header tells of");
                }
            }
            ended = left == 0 || bytes.length < most * size;
            return new Document.Tokens("", ids(little(bytes), size), ended);
        }
    }

    private static int[] ids(ByteBuffer bytes, int size) {
        int[] ids = new int[bytes.remaining() / size];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = switch (size) {
                case 1 -> bytes.get() & 0xFF;
                case 2 -> bytes.getShort() & 0xFFFF;
                default -> bytes.getInt();
            };
        }
        return ids;
    }

    private record Raw(String name, int size) implements Format {
        @Override
        public Kind kind() {
            return Kind.TOKENS;
        }

        @Override
        public boolean recognises(Input file) {
            return false;
        }

        @Override
        public DocumentReader open(Input file) {
            return new Array(file.in(), size, -1);
        }
    }

    /**
     * Megatron's: in NAME.idx a mark, the version (1), the type of tokens, how many sequences and ends of documents there are,
     * the sequences' lengths and places, and with which sequence each document begins.
     */
    private static final class Megatron implements DocumentReader {
        private final InputStream data;
        private final int size;
        private final ByteBuffer index;
        private final long sequences;
        private final long documents;
        private final long lengths;
        private final long starts;
        private long sequence;
        private long document = 1;
        private long inSequence;

        private Megatron(InputStream data, ByteBuffer index, int size, long sequences, long documents) {
            this.data = data;
            this.index = index;
            this.size = size;
            this.sequences = sequences;
            this.documents = documents;
            lengths = 34;
            starts = lengths + 12 * sequences;
        }

        static Megatron open(Path indexFile, Path dataFile) throws IOException {
            long length = Files.size(indexFile);
            if (length > Integer.MAX_VALUE - 16) {
                throw new IOException("its index " + indexFile.getFileName() + " is longer than 2 GiB: split it");
            }
            ByteBuffer index = little(Files.readAllBytes(indexFile));
            int size = index.limit() < 34
                    ? -1
                    : switch (index.get(17)) {
                        case 1 -> 1;
                        case 3, 8 -> 2;
                        case 4 -> 4;
                        default -> 0;
                    };
            if (size == 0) {
                throw new IOException("its index " + indexFile.getFileName() + " says that tokens are of type "
                        + index.get(17) + ", not whole numbers of 8, 16 or 32 bits");
            }
            long sequences = size < 0 ? -1 : index.getLong(18);
            long documents = size < 0 ? -1 : index.getLong(26);
            boolean sound = sequences >= 0
                    && documents >= 1
                    && sequences < length
                    && documents < length
                    && 34 + 12 * sequences + 8 * documents == length
                    && index.getLong(9) == 1;
            if (!sound) {
                throw new IOException("its index " + indexFile.getFileName() + " is damaged: get both anew");
            }
            long tokens = 0;
            for (long i = 0; i < sequences; i++) {
                tokens += index.getInt((int) (34 + 4 * i));
            }
            if (tokens * size != Files.size(dataFile)) {
                throw new IOException("its index " + indexFile.getFileName() + " tells of " + tokens
                        + " tokens of " + size + " bytes, but " + dataFile.getFileName() + " has "
                        + Files.size(dataFile) + " bytes: get both anew");
            }
            return new Megatron(Files.newInputStream(dataFile), index, size, sequences, documents);
        }

        @Override
        public Document next() throws IOException {
            while (sequence < sequences) {
                long length = index.getInt((int) (lengths + 4 * sequence)) & 0xFFFFFFFFL;
                int n = (int) Math.min(CHUNK, length - inSequence);
                byte[] bytes = data.readNBytes(n * size);
                if (bytes.length < n * size) {
                    throw new EOFException();
                }
                String label = ":" + document;
                inSequence += n;
                boolean ends = inSequence == length;
                boolean last = false;
                if (ends) {
                    sequence++;
                    inSequence = 0;
                    while (document < documents && index.getLong((int) (starts + 8 * document)) <= sequence) {
                        document++;
                        last = true;
                    }
                }
                if (n > 0 || last) {
                    return new Document.Tokens(label, ids(little(bytes), size), last || sequence == sequences);
                }
            }
            return null;
        }

        @Override
        public void close() throws IOException {
            data.close();
        }
    }
}
