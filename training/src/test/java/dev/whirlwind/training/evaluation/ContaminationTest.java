package dev.whirlwind.training.evaluation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.data.sources.Corpus;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ContaminationTest {
    private static final String FOURTEEN =
            "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";

    /** Documents in pieces of a few characters. */
    private static Corpus corpus(String... documents) {
        return new Corpus() {
            @Override
            public void read(Sink sink) {
                Random random = new Random(4);
                for (String document : documents) {
                    int from = 0;
                    while (from < document.length()) {
                        int to = Math.min(document.length(), from + 1 + random.nextInt(5));
                        sink.text("d", document.substring(from, to), to == document.length());
                        from = to;
                    }
                }
            }

            @Override
            public String name() {
                return "corpus";
            }
        };
    }

    @Test
    void sameButForCasePunctuationAndSpace() {
        Contamination c = Contamination.of(
                corpus("Short, one.", "another", FOURTEEN),
                corpus("SHORT\n one", "x " + FOURTEEN.toUpperCase(Locale.ROOT) + "!"));
        assertThat(c).isEqualTo(new Contamination(3, 1, 2, 2.0 / 3, 2, 2));
    }

    @Test
    void thirteenWordsInARow() {
        String thirteen = FOURTEEN.substring(4);
        assertThat(Contamination.of(corpus(FOURTEEN), corpus("zero " + thirteen + " zero")))
                .isEqualTo(new Contamination(1, 0, 1, 1, 2, 1));
        // Twelve are not enough, nor are thirteen over two documents.
        assertThat(Contamination.of(corpus(FOURTEEN), corpus("zero " + thirteen.replace("fourteen", "15")))
                        .overlapping())
                .isZero();
        assertThat(Contamination.of(corpus(FOURTEEN), corpus("one two three four five six", thirteen.substring(20)))
                        .overlapping())
                .isZero();
    }

    @Test
    void ideographsAreWords() {
        String text = "我喜欢苹果和香蕉也喜欢梨𠀋𠀌";
        assertThat(Contamination.of(corpus(text), corpus("他说" + text + "。")).overlapping())
                .isEqualTo(1);
        assertThat(Contamination.of(corpus("naïve café"), corpus("naïve café")).duplicates())
                .isEqualTo(1);
        assertThat(Contamination.of(corpus("naïve café"), corpus("na ve caf")).duplicates())
                .isZero();
    }
}
