package dev.whirlwind.data.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TextStreamTest {
    private static List<String> parts(int[] context, int... tokens) {
        List<String> parts = new ArrayList<>();
        TextStream stream = new TextStream(new ByteTokenizer(), context, parts::add);
        for (int token : tokens) {
            stream.add(token);
        }
        stream.end();
        return parts;
    }

    private static int[] bytes(String text) {
        return new ByteTokenizer().encode(text);
    }

    @Test
    void characterComesWithItsLastByte() {
        assertThat(parts(new int[0], bytes("aé€😀b"))).containsExactly("a", "é", "€", "😀", "b");
    }

    @Test
    void promptIsNotRepeated() {
        assertThat(parts(bytes("A prompt é"), bytes("€!"))).containsExactly("€", "!");
    }

    @Test
    void bytesThatAreNoCharacterDoNotHoldUpTheText() {
        List<String> parts = parts(new int[0], 0xC3, 0xC3, 0xC3, 0xC3, 'x', 0xE2);
        assertThat(String.join("", parts)).isEqualTo("\uFFFD\uFFFD\uFFFD\uFFFDx\uFFFD");
        assertThat(parts).hasSizeGreaterThan(1);
    }
}
