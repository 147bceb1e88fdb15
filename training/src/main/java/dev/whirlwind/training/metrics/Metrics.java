package dev.whirlwind.training.metrics;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.memory.ProcessMemory;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code metrics.jsonl}: one JSON object a line, each written by a single append as it happens. A resumed run first
 * {@link #rewind}s to its checkpoint, so that the file reads as one uninterrupted run.
 */
public final class Metrics implements AutoCloseable {
    /** A damaged name is one that no event has. */
    private static final ObjectReader LINES =
            Json.MAPPER.readerFor(Event.class).with(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    /** Bytes, of any line that we write; what is longer is damaged. */
    private static final int LONGEST = 1 << 20;

    /** What lines have beside the event: UTC, and MiB. */
    private static final String TIME = "time";

    private static final String MEMORY = "memory_mib";

    private final Path file;
    private final FileChannel channel;

    /** Not read more often than once a second. */
    private OptionalDouble memory = OptionalDouble.empty();

    private Instant memoryRead;

    private Metrics(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Opens the file for appending, and drops what was written after a checkpoint: up to its own line or, where a killed
     * process did not come to write that, up to its step, and then adds the line. Damaged lines among those that stay are
     * set aside, and that is noted.
     *
     * @param checkpoint null to drop everything
     */
    public static Metrics rewind(Path file, Event.Saved checkpoint, Consumer<String> notes) {
        try {
            List<Line> lines = Files.exists(file) ? lines(file) : List.of();
            List<Line> kept = checkpoint == null ? List.of() : before(checkpoint, lines);
            List<Line> damaged = checkpoint == null ? List.of() : damaged(lines, kept, checkpoint);
            if (!damaged.isEmpty()) {
                Path aside = file.resolveSibling("metrics.damaged");
                try (FileChannel channel = Storage.append(aside)) {
                    Storage.writeFully(channel, ByteBuffer.wrap(joined(damaged)));
                    channel.force(true);
                }
                notes.accept(file + ": line " + damaged.getFirst().number + " is damaged"
                        + (damaged.size() == 1 ? "" : ", and " + (damaged.size() - 1) + " more")
                        + "; set aside in " + aside.getFileName());
            }
            byte[] content = joined(kept);
            if (Files.exists(file) && Files.size(file) != content.length) {
                Storage.replace(file.toRealPath(), content);
            }
            Metrics metrics = new Metrics(file, Storage.append(file));
            if (checkpoint != null && kept.stream().noneMatch(line -> line.isOf(checkpoint))) {
                metrics.append(checkpoint);
            }
            return metrics;
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    /** What led to a checkpoint: up to its line or, without that, up to its step. */
    private static List<Line> before(Event.Saved checkpoint, List<Line> lines) {
        List<Line> before = lines.stream()
                .filter(line -> line.event != null && line.event.step() <= checkpoint.step())
                .toList();
        for (int i = before.size(); i > 0; i--) {
            if (before.get(i - 1).isOf(checkpoint)) {
                return before.subList(0, i);
            }
        }
        return before;
    }

    /**
     * Lines among those that stay that are none of them, as they are damaged or of steps out of their order; and after
     * them, where a checkpoint's own line may be damaged, those up to the next good one.
     */
    private static List<Line> damaged(List<Line> lines, List<Line> kept, Event.Saved checkpoint) {
        int last = kept.isEmpty() ? 0 : kept.getLast().number;
        boolean complete = kept.stream().anyMatch(line -> line.isOf(checkpoint));
        List<Line> damaged = new ArrayList<>(lines.subList(0, last));
        damaged.removeAll(kept);
        lines.stream()
                .skip(last)
                .takeWhile(line -> !complete && line.event == null)
                .forEach(damaged::add);
        return damaged;
    }

    private static byte[] joined(List<Line> lines) {
        return lines.stream()
                .map(line -> line.text + "\n")
                .collect(Collectors.joining())
                .getBytes(ISO_8859_1);
    }

    /**
     * A line that came to its end.
     *
     * @param number from 1
     * @param text a character a byte, as a damaged line need not be text
     * @param event null where the line is damaged
     */
    private record Line(int number, String text, Event event) {
        boolean isOf(Event.Saved checkpoint) {
            return event instanceof Event.Saved saved && saved.path().equals(checkpoint.path());
        }
    }

    /** The whole lines; the last is not whole where a process was killed while it wrote it. */
    private static List<Line> lines(Path file) throws IOException {
        List<Line> lines = new ArrayList<>();
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            for (int next = in.read(); next >= 0; next = in.read()) {
                if (next == '\n') {
                    byte[] bytes = line.toByteArray();
                    lines.add(new Line(lines.size() + 1, new String(bytes, ISO_8859_1), parse(bytes)));
                    line.reset();
                } else if (line.size() < LONGEST) {
                    line.write(next);
                }
            }
        }
        return lines;
    }

    /**
     * What a file tells when it is read as one uninterrupted run.
     *
     * @param events in the order of their steps
     * @param damagedLines that tell nothing
     */
    public record Story(List<Event> events, int damagedLines) {}

    /**
     * Reads what can be read, and leaves out steps that were done again after a resume, as older versions or a copied file
     * may have them; a file that is not there has no events.
     */
    public static Story story(Path file) {
        try {
            List<Line> lines = Files.exists(file) ? lines(file) : List.of();
            List<Event> events = new ArrayList<>();
            Map<String, Long> firstOfKind = new HashMap<>();
            long first = Long.MAX_VALUE;
            for (Line line : lines.reversed()) {
                Event event = line.event;
                if (event == null || event.step() > first) {
                    continue;
                }
                String kind = switch (event) {
                    case Event.Step _ -> "step";
                    case Event.Eval eval -> "eval " + eval.name();
                    case Event.Sample sample -> "sample " + sample.name();
                    case Event.Compared compared -> "comparison " + compared.name();
                    case Event.Sources _ -> "sources";
                    default -> null;
                };
                if (kind != null && firstOfKind.getOrDefault(kind, Long.MAX_VALUE) <= event.step()) {
                    continue;
                }
                firstOfKind.put(kind, event.step());
                first = event instanceof Event.Step ? event.step() : first;
                events.add(event);
            }
            int damaged =
                    (int) lines.stream().filter(line -> line.event == null).count();
            return new Story(events.reversed(), damaged);
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    /** All whole lines of a metrics file. */
    public static List<Event> read(Path file) {
        try {
            return lines(file).stream()
                    .map(line -> {
                        if (line.event == null) {
                            throw new UserException(
                                    file + ": line " + line.number + " is not an event; remove the line");
                        }
                        return line.event;
                    })
                    .toList();
        } catch (IOException e) {
            throw unreadable(file, e);
        }
    }

    private static UserException unreadable(Path file, IOException e) {
        return new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
    }

    /** Adds a line: the event, when it happened, and with a step the process's memory. */
    public void append(Event event) {
        ObjectNode json = Json.MAPPER.valueToTree(event);
        Instant now = Instant.now();
        if (event instanceof Event.Step) {
            if (memoryRead == null || memoryRead.plusSeconds(1).isBefore(now)) {
                memory = ProcessMemory.mib();
                memoryRead = now;
            }
            memory.ifPresent(mib -> json.put(MEMORY, Math.rint(mib)));
        }
        if (!json.has(TIME)) {
            json.put(TIME, now.truncatedTo(ChronoUnit.MILLIS).toString());
        }
        ByteBuffer line = ByteBuffer.wrap((Json.MAPPER.writeValueAsString(json) + "\n").getBytes(UTF_8));
        try {
            Storage.writeFully(channel, line);
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    /** Waits until all lines are on the disk: a checkpoint must not outlive the lines that led to it. */
    public void sync() {
        try {
            channel.force(true);
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    @Override
    public void close() {
        try (channel) {
            channel.force(true);
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    private static Event parse(byte[] line) {
        try {
            if (!(Json.MAPPER.readTree(line) instanceof ObjectNode json)) {
                return null;
            }
            json.remove(MEMORY);
            if (!json.path("event").asString("").equals("session")) {
                json.remove(TIME);
            }
            Event event = LINES.readValue(json);
            return event == null || event.step() < 0 ? null : event;
        } catch (JacksonException e) {
            return null;
        }
    }

    private static UserException unwritable(Path file, IOException e) {
        return new UserException(file + ": cannot be written (" + Reason.of(e) + "); mend that and run resume", e);
    }
}
