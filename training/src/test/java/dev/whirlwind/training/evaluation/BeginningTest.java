package dev.whirlwind.training.evaluation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.training.evaluation.Evaluation.Part;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BeginningTest {
    @TempDir
    Path folder;

    private final List<String> notes = new ArrayList<>();

    /** @param nll of each of eight tokens of as many documents as there are figures */
    private static Evaluation evaluation(double... nll) {
        List<Part> parts = new ArrayList<>();
        for (double each : nll) {
            parts.add(new Part(8, 8 * each));
        }
        return new Evaluation("text", 8L * nll.length, parts, parts);
    }

    @Test
    void changesAreThoseOfTheFileToo() throws IOException {
        Path file = folder.resolve("before.json");
        Evaluation before = evaluation(3, 3.1, 2.9, 3.3, 3.2, 3);
        Evaluation now = evaluation(2, 2.2, 2.1, 2.1, 2.3, 1.9);
        Beginning first = new Beginning(file, notes::add);
        assertThat(first.changeOf("valid", now)).isEmpty();
        SequencedMap<String, Evaluation> evaluations = new LinkedHashMap<>();
        evaluations.put("valid", before);
        first.keep(evaluations);
        Comparison change = Comparison.of(before, now);
        assertThat(change.low()).isLessThan(change.difference());
        for (Beginning beginning : List.of(first, new Beginning(file, notes::add))) {
            assertThat(beginning.changeOf("valid", now)).contains(change);
            assertThat(beginning.changeOf("other", now)).isEmpty();
            assertThat(beginning.changeOf("valid", evaluation(2, 2))).isEmpty();
        }
        assertThat(notes).isEmpty();
        Files.writeString(file, "{\"valid\":{\"data\"");
        assertThat(new Beginning(file, notes::add).changeOf("valid", now)).isEmpty();
        assertThat(notes).singleElement().asString().contains("before.json: cannot be read", "without intervals");
    }
}
