package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.UserException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a SentencePiece tokenizer.model says: the fields that matter of {@code ModelProto} in sentencepiece_model.proto, read
 * from Protocol Buffers' wire format.
 */
final class SentencePieceModel {
    /** Kinds of pieces. */
    static final int NORMAL = 1;

    static final int UNKNOWN = 2;
    static final int CONTROL = 3;
    static final int USER_DEFINED = 4;

    /** Kinds of models. */
    static final int UNIGRAM = 1;

    static final int BPE = 2;

    /** A piece; its place is its id. */
    record Piece(String text, float score, int type) {}

    /** What a field holds: a number, or bytes. */
    private interface Field {
        void take(int number, long value, ByteBuffer bytes);
    }

    /** Characters; trained pieces have 16 at most. */
    private static final int LONGEST_PIECE = 1024;

    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int BYTES = 2;
    private static final int FIXED32 = 5;

    final List<Piece> pieces = new ArrayList<>();
    int modelType = UNIGRAM;
    boolean suffixes;
    boolean byteFallback;
    int unknownId;
    int bosId = 1;
    int eosId = 2;
    byte[] charsmap = {};
    boolean dummyPrefix = true;
    boolean removesExtraSpaces = true;
    boolean escapesSpaces = true;

    private final Path file;

    private SentencePieceModel(Path file) {
        this.file = file;
    }

    static SentencePieceModel read(Path file, byte[] bytes) {
        SentencePieceModel model = new SentencePieceModel(file);
        model.fields(ByteBuffer.wrap(bytes), (number, _, content) -> {
            switch (number) {
                case 1 -> model.piece(content);
                case 2 -> model.trainer(content);
                case 3 -> model.normalizer(content);
                default -> {
                    // Self-tests, and how the training text was changed back.
                }
            }
        });
        if (model.pieces.isEmpty()) {
            throw model.damaged("it has no pieces");
        }
        return model;
    }

    private void piece(ByteBuffer content) {
        String[] text = {""};
        float[] score = {0};
        int[] type = {NORMAL};
        fields(content, (number, value, bytes) -> {
            switch (number) {
                case 1 -> text[0] = string(bytes);
                case 2 -> score[0] = Float.intBitsToFloat((int) value);
                case 3 -> type[0] = (int) value;
                default -> {
                    // Of a later edition.
                }
            }
        });
        if (type[0] == NORMAL && text[0].length() > LONGEST_PIECE) {
            throw damaged("a piece has " + text[0].length() + " characters");
        }
        pieces.add(new Piece(text[0], score[0], type[0]));
    }

    private void trainer(ByteBuffer content) {
        fields(content, (number, value, _) -> {
            switch (number) {
                case 3 -> modelType = (int) value;
                case 24 -> suffixes = value != 0;
                case 35 -> byteFallback = value != 0;
                case 40 -> unknownId = (int) value;
                case 41 -> bosId = (int) value;
                case 42 -> eosId = (int) value;
                default -> {
                    // How it was trained.
                }
            }
        });
    }

    private void normalizer(ByteBuffer content) {
        fields(content, (number, value, bytes) -> {
            switch (number) {
                case 2 -> charsmap = array(bytes);
                case 3 -> dummyPrefix = value != 0;
                case 4 -> removesExtraSpaces = value != 0;
                case 5 -> escapesSpaces = value != 0;
                default -> {
                    // Its name, and the rules that the map was made of.
                }
            }
        });
    }

    private void fields(ByteBuffer in, Field field) {
        if (in == null) {
            throw damaged("a field has another type");
        }
        while (in.hasRemaining()) {
            long key = varint(in);
            int number = (int) (key >>> 3);
            switch ((int) key & 7) {
                case VARINT -> field.take(number, varint(in), null);
                case FIXED64 -> field.take(number, require(in, Long.BYTES).getLong(), null);
                case FIXED32 -> field.take(number, require(in, Integer.BYTES).getInt(), null);
                case BYTES -> {
                    long length = varint(in);
                    if (length < 0 || length > in.remaining()) {
                        throw damaged("it ends too early");
                    }
                    field.take(number, 0, in.slice(in.position(), (int) length));
                    in.position(in.position() + (int) length);
                }
                default -> throw damaged("it is no protocol buffer");
            }
        }
    }

    private ByteBuffer require(ByteBuffer in, int bytes) {
        if (in.remaining() < bytes) {
            throw damaged("it ends too early");
        }
        return in.order(ByteOrder.LITTLE_ENDIAN);
    }

    private long varint(ByteBuffer in) {
        long value = 0;
        for (int shift = 0; shift < Long.SIZE; shift += 7) {
            byte b = require(in, 1).get();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw damaged("it is no protocol buffer");
    }

    private String string(ByteBuffer bytes) {
        return new String(array(bytes), StandardCharsets.UTF_8);
    }

    private byte[] array(ByteBuffer bytes) {
        if (bytes == null) {
            throw damaged("a field has another type");
        }
        byte[] array = new byte[bytes.remaining()];
        bytes.get(array);
        return array;
    }

    UserException damaged(String why) {
        return new UserException(file + ": is not a SentencePiece model that can be read (" + why
                + "); download it again, or make tokenizer.json with"
                + " AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER)");
    }
}
