package dev.whirlwind.training.log;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.metrics.Event;
import dev.whirlwind.training.metrics.Listener;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** A run's figures as comma-separated values, one a row: the step, the figure's name and its value. */
public final class CsvLog implements Listener {
    private static final String HEADINGS = "step,name,value\n";

    private final Path file;
    private final FileChannel channel;

    /**
     * Opens the file for appending, without the rows of steps that are to be done again.
     *
     * @param step the steps that are done
     * @throws UserException if it cannot be read or written
     */
    public CsvLog(Path file, long step) {
        this.file = file;
        try {
            StringBuilder kept = new StringBuilder(HEADINGS);
            if (Files.exists(file) && step > 0) {
                String text = Files.readString(file);
                // A row that a killed process was writing has no end.
                text.substring(0, text.lastIndexOf('\n') + 1)
                        .lines()
                        .filter(row -> row.matches("\\d{1,18},.*") && Long.parseLong(row.split(",", 2)[0]) <= step)
                        .forEach(row -> kept.append(row).append('\n'));
            }
            Storage.replace(file, kept.toString().getBytes(UTF_8));
            channel = Storage.append(file);
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    @Override
    public void on(Event event) {
        StringBuilder rows = new StringBuilder();
        Scalars.of(event)
                .forEach((name, value) -> rows.append(event.step())
                        .append(',')
                        .append(quoted(name))
                        .append(',')
                        .append(value)
                        .append('\n'));
        try {
            Storage.writeFully(channel, ByteBuffer.wrap(rows.toString().getBytes(UTF_8)));
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    /** As RFC 4180 has it; names of evaluation sets are whatever people call them. */
    private static String quoted(String name) {
        return name.matches("[^\",\r\n]*")
                ? name
                : '"' + name.replace("\"", "\"\"").replaceAll("[\r\n]+", " ") + '"';
    }

    @Override
    public void note(String sentence) {}

    @Override
    public void close() {
        try (channel) {
            channel.force(true);
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    private static UserException unwritable(Path file, IOException e) {
        return new UserException(file + ": cannot be written (" + Reason.of(e) + ")", e);
    }
}
