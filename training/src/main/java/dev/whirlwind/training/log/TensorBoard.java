package dev.whirlwind.training.log;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * A run's events as TensorBoard reads them, each session's in a file of its own. Messages are those of tensorflow's
 * {@code event.proto}, {@code summary.proto} and {@code tensor.proto}.
 */
public final class TensorBoard implements Listener {
    private static final String PREFIX = "events.out.tfevents.";

    /** {@code SessionLog.START}: what was written before of the same step and later ones is no longer so. */
    private static final int START = 1;

    private static final int DT_STRING = 7;

    private final Path path;
    private final EventFile file;

    /**
     * Begins a file.
     *
     * @param folder it is created where it is missing
     * @param step the steps that are done
     * @param configuration of the run, shown as text
     * @throws UserException if it cannot be written
     */
    public TensorBoard(Path folder, long step, String configuration) {
        Path path = folder;
        try {
            Storage.createFolders(folder);
            path = folder.resolve(PREFIX + "%010d.whirlwind".formatted(second(folder)));
            this.path = path;
            file = new EventFile(path);
            append(event(0).put(3, "brain.Event:2"));
            append(event(step + 1).put(7, new Message().put(1, START)));
            append(event(step).put(5, new Message().put(1, text("config", configuration))));
        } catch (IOException e) {
            throw unwritable(path, e);
        }
    }

    /** In a file's name, which TensorBoard orders sessions by; later than others also when the clock was put back. */
    private static long second(Path folder) throws IOException {
        long last = Arrays.stream(Storage.list(folder))
                .map(file -> file.getFileName().toString())
                .filter(name -> name.matches("\\Q" + PREFIX + "\\E\\d{10}\\..*"))
                .mapToLong(name -> Long.parseLong(name.substring(PREFIX.length(), PREFIX.length() + 10)))
                .max()
                .orElse(0);
        return Math.max(last + 1, System.currentTimeMillis() / 1000);
    }

    @Override
    public void on(Event event) {
        Message summary = new Message();
        Scalars.of(event)
                .forEach(
                        (tag, value) -> summary.put(1, new Message().put(1, tag).put(2, value.floatValue())));
        if (event instanceof Event.Sample sample) {
            summary.put(1, text("sample/" + sample.name(), sample.prompt() + sample.text()));
        }
        try {
            if (summary.bytes().length > 0) {
                append(event(event.step()).put(5, summary));
            }
        } catch (IOException e) {
            throw unwritable(path, e);
        }
    }

    @Override
    public void note(String sentence) {}

    private void append(Message event) throws IOException {
        file.append(event.bytes());
    }

    private static Message event(long step) {
        return new Message().put(1, System.currentTimeMillis() * 1e-3).put(2, step);
    }

    /** A value of the text plugin. It reads Markdown, of which only code is shown as it is. */
    private static Message text(String tag, String text) {
        String code = text.lines().map(line -> "    " + line).collect(Collectors.joining("\n"));
        Message shape = new Message().put(2, new Message().put(1, 1L));
        Message tensor = new Message().put(1, DT_STRING).put(2, shape).put(8, code);
        Message plugin = new Message().put(1, new Message().put(1, "text"));
        return new Message().put(1, tag).put(8, tensor).put(9, plugin);
    }

    @Override
    public void close() {
        try {
            file.close();
        } catch (IOException e) {
            throw unwritable(path, e);
        }
    }

    private static UserException unwritable(Path path, IOException e) {
        return new UserException(path + ": cannot be written (" + Reason.of(e) + ")", e);
    }
}
