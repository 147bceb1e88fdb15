package dev.whirlwind.cli.tokenizer;

import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.data.tokenizers.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** A text cut into its tokens, to be looked at: white space has signs, and bytes that are no characters are written out. */
record Cut(List<Piece> pieces) {
    /** Backgrounds that follow each other: pale ones of the 256 colours, with black upon them. */
    private static final int[] COLOURS = {153, 186, 217, 151, 183};

    /** A token, and the text that it stands for. */
    record Piece(int id, String text) {}

    Cut {
        pieces = List.copyOf(pieces);
    }

    static Cut of(Tokenizer tokenizer, String text) {
        int[] ids = tokenizer.encode(text);
        int[] lengths = tokenizer.byteLengths();
        int length = IntStream.of(ids).map(id -> lengths[id]).sum();
        byte[] bytes = Text.wellFormed(text).getBytes(StandardCharsets.UTF_8);
        if (length == bytes.length + 1) {
            bytes = (" " + Text.wellFormed(text)).getBytes(StandardCharsets.UTF_8);
        }
        // Where the tokenizer changes the text, or it holds special tokens, each is decoded by itself.
        boolean kept = length == bytes.length;
        List<Piece> pieces = new ArrayList<>();
        int from = 0;
        for (int id : ids) {
            int to = from + lengths[id];
            pieces.add(new Piece(
                    id, kept ? readable(Arrays.copyOfRange(bytes, from, to)) : tokenizer.decode(new int[] {id})));
            from = to;
        }
        return new Cut(pieces);
    }

    /** Bytes as text; each as {@code \xE2} where together they are none. */
    private static String readable(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            StringBuilder written = new StringBuilder();
            for (byte value : bytes) {
                written.append("\\x%02X".formatted(value & 0xFF));
            }
            return written.toString();
        }
    }

    /** Lines as the text has them; tokens are told apart by colours, or by bars. */
    String shown(boolean colours) {
        StringBuilder shown = new StringBuilder();
        for (int i = 0; i < pieces.size(); i++) {
            String colour = colours ? "\u001B[30;48;5;" + COLOURS[i % COLOURS.length] + "m" : "";
            String end = colours ? "\u001B[0m" : "";
            String visible = visible(pieces.get(i).text());
            // A line's end has no colour, as a terminal would paint the rest of the line.
            shown.append(colour)
                    .append(visible.replace("\n", end + "\n" + colour))
                    .append(end);
            if (!colours && i + 1 < pieces.size()) {
                shown.append('|');
            }
        }
        return shown.toString();
    }

    private static String visible(String text) {
        StringBuilder visible = new StringBuilder();
        text.codePoints().forEach(c -> {
            switch (c) {
                case ' ' -> visible.append('\u00B7');
                case '\t' -> visible.append('\u2192');
                case '\r' -> visible.append('\u240D');
                case '\n' -> visible.append("\u21B5\n");
                default -> {
                    if (Character.isISOControl(c)) {
                        visible.append("\\x%02X".formatted(c));
                    } else {
                        visible.appendCodePoint(c);
                    }
                }
            }
        });
        return visible.toString();
    }
}
