package dev.whirlwind.training;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.core.JacksonException;

/**
 * {@code metrics.jsonl}: one JSON object a line, each written by a single append as it happens. A resumed run first
 * {@link #rewind}s to its checkpoint, so that the file reads as one uninterrupted run.
 */
public final class Metrics implements AutoCloseable {
    private final Path file;
    private final FileChannel channel;

    private Metrics(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Opens the file for appending, and drops what was written after a checkpoint: up to its own line or, where a killed
     * process did not come to write that, up to its step, and then adds the line.
     *
     * @param checkpoint null to drop everything
     */
    static Metrics rewind(Path file, Event.Saved checkpoint) {
        try {
            FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            Metrics metrics = new Metrics(file, channel);
            byte[] bytes = Files.readAllBytes(file);
            int ownEnd = 0;
            int stepEnd = 0;
            if (checkpoint != null) {
                int start = 0;
                for (int end = lineEnd(bytes, 0); end >= 0; end = lineEnd(bytes, start)) {
                    Event event = parse(bytes, start, end);
                    if (event == null || event.step() > checkpoint.step()) {
                        break;
                    }
                    start = end + 1;
                    stepEnd = start;
                    if (event instanceof Event.Saved saved && saved.path().equals(checkpoint.path())) {
                        ownEnd = start;
                    }
                }
            }
            int length = ownEnd > 0 ? ownEnd : stepEnd;
            channel.truncate(length).position(length);
            if (checkpoint != null && ownEnd == 0) {
                metrics.append(checkpoint);
            }
            return metrics;
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    /** All whole lines of a metrics file. */
    public static List<Event> read(Path file) {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
        List<Event> events = new ArrayList<>();
        int start = 0;
        for (int end = lineEnd(bytes, 0); end >= 0; end = lineEnd(bytes, start)) {
            Event event = parse(bytes, start, end);
            if (event == null) {
                throw new UserException(file + ": line " + (events.size() + 1) + " is not an event; remove the line");
            }
            events.add(event);
            start = end + 1;
        }
        return events;
    }

    void append(Event event) {
        ByteBuffer line =
                ByteBuffer.wrap((Json.MAPPER.writeValueAsString(event) + "\n").getBytes(StandardCharsets.UTF_8));
        try {
            while (line.hasRemaining()) {
                channel.write(line);
            }
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    /** Waits until all lines are on the disk: a checkpoint must not outlive the lines that led to it. */
    void sync() {
        try {
            channel.force(true);
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    private static int lineEnd(byte[] bytes, int start) {
        for (int i = start; i < bytes.length; i++) {
            if (bytes[i] == '\n') {
                return i;
            }
        }
        return -1;
    }

    private static Event parse(byte[] bytes, int start, int end) {
        try {
            return Json.MAPPER.readValue(bytes, start, end - start, Event.class);
        } catch (JacksonException e) {
            return null;
        }
    }

    private static UserException unwritable(Path file, IOException e) {
        return new UserException(file + ": cannot be written (" + Reason.of(e) + "); mend that and run resume", e);
    }
}
