package dev.whirlwind.cli.run;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** {@code --log FILE}: what a run says on standard error, a line each with its time in UTC, added to what is there. */
final class RunLog implements AutoCloseable {
    private final Path file;
    private final FileChannel channel;

    RunLog(Path file) {
        this.file = file;
        try {
            channel = Storage.append(file);
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    void line(String text) {
        String line = Instant.now().truncatedTo(ChronoUnit.SECONDS) + " " + text + "\n";
        try {
            Storage.writeFully(channel, ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
        } catch (IOException e) {
            throw unwritable(e);
        }
    }

    private UserException unwritable(IOException e) {
        return new UserException(file + ": cannot be written (" + Reason.of(e) + "); give --log another file", e);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw unwritable(e);
        }
    }
}
