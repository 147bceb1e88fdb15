package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Metrics;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClosingTest {
    @TempDir
    Path temp;

    private Closing closing(Event... events) {
        Path file = temp.resolve("metrics.jsonl");
        try (Metrics metrics = Metrics.rewind(file, null, note -> {})) {
            List.of(events).forEach(metrics::append);
        }
        return new Closing(file);
    }

    private static Event eval(long step, String name, double loss) {
        return new Event.Eval(step, name, loss, Math.exp(loss), loss);
    }

    /** An evaluation that was asked for may be lower, but no model was saved then. */
    @Test
    void theBestIsTheModelThatWasSavedAsSuch() {
        Closing closing = closing(
                eval(0, "valid", 5),
                eval(4, "valid", 3),
                new Event.Saved(4, "best", 1, 1),
                eval(5, "valid", 2),
                eval(8, "valid", 4));
        assertThat(closing.texts()).singleElement().satisfies(text -> {
            assertThat(text.before().loss()).isEqualTo(5);
            assertThat(text.best().loss()).isEqualTo(3);
            assertThat(text.after().loss()).isEqualTo(4);
        });
        assertThat(closing.lines().getLast()).contains("best is step 4, after step 8");
    }

    /** One that a resumed run was given has no loss of before, and is shown all the same. */
    @Test
    void aTextThatCameLater() {
        Closing closing = closing(
                eval(0, "valid", 5),
                eval(4, "valid", 3),
                new Event.Saved(4, "best", 1, 1),
                eval(8, "valid", 4),
                eval(8, "later", 2));
        Closing.Judged later = closing.texts().getLast();
        assertThat(later.name()).isEqualTo("later");
        assertThat(later.before()).isNull();
        assertThat(later.best()).isNull();
        assertThat(closing.lines()).anyMatch(line -> line.startsWith("later  ") && line.contains("7.389"));
    }

    @Test
    void noModelWasBest() {
        Closing closing = closing(eval(0, "valid", 5), eval(8, "valid", Double.NaN));
        assertThat(closing.lines().getLast()).contains("best is none, after step 8");
    }
}
