package dev.whirlwind.cli.evaluation;

import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.tasks.Task;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Models' answers to tasks, for a file with a JSON object a line. */
final class Predictions {
    private final StringBuilder lines = new StringBuilder();

    void add(Path model, Task task, List<String> answers) {
        for (int i = 0; i < answers.size(); i++) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("model", model.toString());
            line.put("task", task.name());
            line.put("question", i);
            line.put("prediction", answers.get(i));
            line.put("expected", task.expected(i));
            lines.append(Output.json(line)).append('\n');
        }
    }

    void save(Path file) {
        try {
            Storage.write(file, lines.toString().getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UserException(file + ": cannot be written (" + Reason.of(e) + "); give --predictions another", e);
        }
    }
}
