package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The Rust library in a child process ({@link TokenizerHost}), so that its abort ends that one only. One request at a time;
 * after a {@link NativeTokenizer.Failure} by which the child ended it is of no further use.
 */
final class ChildTokenizer implements NativeTokenizer, AutoCloseable {
    static final byte ENCODE = 'e';
    static final byte ENCODE_WITH_SPECIAL = 's';
    static final byte DECODE = 'd';
    static final byte DONE = 0;
    static final byte FAILED = 1;

    /** Computing for longer than this is a hang. */
    private static final int SECONDS = 10;

    /** So many times as long may pass while it waits for its turn. */
    private static final int PATIENCE = 12;

    private static final int MILLIS_BETWEEN_LOOKS = 200;

    /** Without a request for so long, its memory is worth more than the third of a second that a new one takes to start. */
    static final Duration IDLE = Duration.ofSeconds(5);

    /** More of it for long texts: a slow tokenizer reads a hundred thousand characters a second. */
    private static final int CHARACTERS_PER_SECOND = 20_000;

    private static final int MOST_OF_ERRORS = 1 << 16;
    private static final String PANIC = " panicked at ";

    private final Process process;
    private final DataOutputStream requests;
    private final DataInputStream replies;
    private final CompletableFuture<String> errors = new CompletableFuture<>();

    /** When it was asked for what it is busy with; null while it is idle. */
    private volatile Instant asked;

    private volatile Instant answered = Instant.now();
    private final Predicate<ChildTokenizer> maySpare;
    private volatile Duration usedBefore;
    private volatile Duration allowed;
    private volatile boolean late;

    /**
     * @param maySpare asked after {@link #IDLE} without a request; true gives the child up
     * @throws NativeTokenizer.Failure when this is not a tokenizer that the library reads
     */
    ChildTokenizer(String json, Predicate<ChildTokenizer> maySpare) {
        this.maySpare = maySpare;
        try {
            process = command().start();
        } catch (IOException e) {
            throw new UserException("cannot start a Java process to try tokenizer.json in: " + Reason.of(e), e);
        }
        requests = new DataOutputStream(new BufferedOutputStream(process.getOutputStream(), 1 << 16));
        replies = new DataInputStream(new BufferedInputStream(process.getInputStream(), 1 << 16));
        Thread.ofVirtual().start(this::watch);
        Thread.ofVirtual().start(() -> errors.complete(read(process.getErrorStream())));
        try {
            call(ENCODE, json.getBytes(StandardCharsets.UTF_8), SECONDS);
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private static ProcessBuilder command() {
        String classPath = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                // Its set-up takes longer than all else.
                .filter(entry -> !Path.of(entry).getFileName().toString().startsWith("logback"))
                .map(entry -> Path.of(entry).toAbsolutePath().toString())
                .collect(Collectors.joining(File.pathSeparator));
        ProcessBuilder builder = new ProcessBuilder(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-XX:-CreateCoredumpOnCrash",
                "-Xshare:auto",
                "--enable-native-access=ALL-UNNAMED",
                "-Dslf4j.internal.verbosity=ERROR",
                "-cp",
                classPath,
                TokenizerHost.class.getName()));
        builder.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"));
        builder.environment().put("RUST_BACKTRACE", "0");
        // An abort may leave a core file.
        builder.directory(new File(System.getProperty("java.io.tmpdir")));
        return builder;
    }

    private static String read(InputStream stream) {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        byte[] some = new byte[1 << 12];
        try {
            for (int n = stream.read(some); n >= 0; n = stream.read(some)) {
                text.write(some, 0, Math.min(n, MOST_OF_ERRORS - text.size()));
            }
        } catch (IOException e) {
            // The process has ended; what it said before counts.
        }
        return text.toString(StandardCharsets.UTF_8);
    }

    @Override
    public int[] encode(String text, boolean around) {
        byte[] reply = call(
                around ? ENCODE_WITH_SPECIAL : ENCODE,
                text.getBytes(StandardCharsets.UTF_8),
                SECONDS + text.length() / CHARACTERS_PER_SECOND);
        int[] ids = new int[reply.length / Integer.BYTES];
        ByteBuffer.wrap(reply).asIntBuffer().get(ids);
        return ids;
    }

    @Override
    public String decode(int[] ids) {
        ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * ids.length);
        bytes.asIntBuffer().put(ids);
        return new String(
                call(DECODE, bytes.array(), SECONDS + ids.length / CHARACTERS_PER_SECOND), StandardCharsets.UTF_8);
    }

    private synchronized byte[] call(byte what, byte[] request, int seconds) {
        allowed = Duration.ofSeconds(seconds);
        usedBefore = used();
        asked = Instant.now();
        try {
            requests.writeByte(what);
            requests.writeInt(request.length);
            requests.write(request);
            requests.flush();
            byte status = replies.readByte();
            byte[] reply = replies.readNBytes(replies.readInt());
            if (status == FAILED) {
                throw new Failure(new String(reply, StandardCharsets.UTF_8));
            }
            return reply;
        } catch (IOException e) {
            throw new Failure(late ? "no answer within " + seconds + " seconds" : causeOfEnd());
        } finally {
            answered = Instant.now();
            asked = null;
        }
    }

    /** Time that it has computed, as a machine may be busy with other things; not every system tells. */
    private Duration used() {
        return process.info().totalCpuDuration().orElse(Duration.ZERO);
    }

    private void watch() {
        while (process.isAlive()) {
            Instant since = asked;
            if (since != null
                    && (used().minus(usedBefore).compareTo(allowed) > 0
                            || since.plus(allowed.multipliedBy(PATIENCE)).isBefore(Instant.now()))) {
                late = true;
                process.destroyForcibly();
                return;
            }
            if (since == null && answered.plus(IDLE).isBefore(Instant.now()) && maySpare.test(this)) {
                close();
                return;
            }
            try {
                Thread.sleep(MILLIS_BETWEEN_LOOKS);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    /** What a panic says: the line after the one with its place in the source. */
    private String causeOfEnd() {
        process.destroyForcibly();
        List<String> lines = errors.completeOnTimeout("", SECONDS, TimeUnit.SECONDS)
                .join()
                .lines()
                .filter(line -> !line.isBlank())
                .toList();
        for (int i = 0; i + 1 < lines.size(); i++) {
            if (lines.get(i).contains(PANIC)) {
                return Text.firstLine(lines.get(i + 1));
            }
        }
        return Text.firstLine(lines.isEmpty() ? "it ended without a word, as for lack of memory" : lines.getFirst());
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
