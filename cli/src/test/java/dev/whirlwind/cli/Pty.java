package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.pty4j.PtyProcess;
import com.pty4j.PtyProcessBuilder;
import com.pty4j.WinSize;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A process in a terminal of its own: what it shows, and keys that are pressed. */
final class Pty implements AutoCloseable {
    static final String CTRL_C = "\u0003";
    private static final long MOST_MILLIS = 60_000;

    private final PtyProcess process;
    private final StringBuilder shown = new StringBuilder();
    private final Thread reader;
    private int seen;

    /** The program with these arguments, in this Java and with its class path. */
    static Pty program(int columns, Object... args) throws IOException {
        return new Pty(columns, List.of("-Dwhirlwind.terminal=true"), Map.of(), args);
    }

    private Pty(int columns, List<String> properties, Map<String, String> environment, Object... args)
            throws IOException {
        this(columns, environment, Child.program(properties, args));
    }

    Pty(int columns, Map<String, String> environment, List<String> command) throws IOException {
        Map<String, String> all = new HashMap<>(System.getenv());
        all.put("TERM", "xterm");
        all.putAll(environment);
        process = new PtyProcessBuilder(command.toArray(String[]::new))
                .setEnvironment(all)
                .setInitialColumns(columns)
                .setInitialRows(24)
                .start();
        reader = Thread.ofVirtual().start(this::read);
    }

    private void read() {
        byte[] bytes = new byte[1 << 12];
        try (InputStream in = process.getInputStream()) {
            for (int n = in.read(bytes); n >= 0; n = in.read(bytes)) {
                synchronized (shown) {
                    shown.append(new String(bytes, 0, n, StandardCharsets.UTF_8));
                    shown.notifyAll();
                }
            }
        } catch (IOException e) {
            // So it is told on Linux that nobody has the terminal open any more.
            return;
        }
    }

    /** Waits until it shows a text, after all those that were waited for before. */
    Pty until(String text) throws InterruptedException {
        long end = System.currentTimeMillis() + MOST_MILLIS;
        synchronized (shown) {
            while (shown.indexOf(text, seen) < 0) {
                long left = end - System.currentTimeMillis();
                assertThat(left).as("waiting for " + text + " in:%n%s", shown).isPositive();
                assertThat(process.isAlive())
                        .as("alive until " + text + " in:%n%s", shown)
                        .isTrue();
                shown.wait(Math.min(left, 100));
            }
            seen = shown.indexOf(text, seen) + text.length();
        }
        return this;
    }

    void press(String keys) throws IOException {
        process.getOutputStream().write(keys.getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
    }

    void resize(int columns) {
        process.setWinSize(new WinSize(columns, 24));
    }

    long pid() {
        return process.pid();
    }

    /** Waits for its end, and gives its exit code. */
    int end() throws InterruptedException {
        int code = process.waitFor();
        reader.join(MOST_MILLIS);
        return code;
    }

    String shown() {
        synchronized (shown) {
            return shown.toString();
        }
    }

    /** What it showed in lines, and each version of one that was drawn again and again. */
    List<String> lines() {
        List<String> lines = new ArrayList<>();
        for (String line : shown().split("\r\n|\r|\n", -1)) {
            // The terminal itself shows what is pressed.
            lines.add(line.replace("\u001B[K", "").replace("^C", ""));
        }
        return lines;
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
