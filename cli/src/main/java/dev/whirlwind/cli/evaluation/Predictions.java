package dev.whirlwind.cli.evaluation;

import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.tasks.Task;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Models' answers to tasks in a file with a JSON object a line, task by task as they come. */
final class Predictions implements AutoCloseable {
    private final Path file;
    private final FileChannel channel;

    /** Before anything is computed whose answers could not be written. */
    Predictions(Path file) {
        this.file = file;
        try {
            Storage.write(file, new byte[0]);
            channel = Storage.append(file);
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    void add(Path model, Task task, List<String> answers) {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < answers.size(); i++) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("model", model.toString());
            line.put("task", task.name());
            line.put("question", i);
            line.put("prediction", answers.get(i));
            line.put("expected", task.expected(i));
            lines.append(Output.json(line)).append('\n');
        }
        try {
            Storage.writeFully(channel, ByteBuffer.wrap(lines.toString().getBytes(StandardCharsets.UTF_8)));
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    private UserException unwritable(IOException e) {
        return new UserException(file + ": cannot be written (" + Reason.of(e) + "); give --predictions another", e);
    }
}
