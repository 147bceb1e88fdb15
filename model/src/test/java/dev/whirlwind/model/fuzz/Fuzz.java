package dev.whirlwind.model.fuzz;

import com.sun.management.ThreadMXBean;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.regex.Pattern;

/**
 * A reader against files that hold anything. Whatever they hold, reading ends in a value or in a {@link UserException},
 * which is told in one line without control characters, within 2 seconds of computing, and allocates no more than 64 MB beyond the
 * file's size.
 *
 * <p>Inputs are seeds with changes, drawn from a seeded generator: {@code -Dwhirlwind.fuzz.seconds=3600} gives each
 * reader an hour, {@code -Dwhirlwind.fuzz.seed=N} other changes. An input that fails is kept in the folder
 * {@code target/fuzz}; put into {@code src/test/resources/fuzz/NAME/} and listed there in {@code cases}, it is tried first
 * for ever after. {@link GuidedFuzz} lets a coverage-guided fuzzer choose the inputs instead.
 */
public final class Fuzz {
    /** Reads a file. */
    @FunctionalInterface
    public interface Reader {
        void read(Path file) throws IOException;
    }

    private static final double SECONDS = Double.parseDouble(System.getProperty("whirlwind.fuzz.seconds", "0.25"));
    private static final long SEED = Long.getLong("whirlwind.fuzz.seed", 20261128);
    private static final long MOST_NANOS = 2_000_000_000L;

    /** Of waiting: for a child process that is given up after 10 s, and for a busy machine. */
    private static final long MOST_NANOS_WAITED = 30_000_000_000L;

    private static final long MOST_BYTES = 64 << 20;
    private static final int LONGEST_MESSAGE = 2003;
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final Pattern NUMBER = Pattern.compile("-?\\d+(\\.\\d+)?");

    private static final String[] WORDS = {
        "null",
        "true",
        "false",
        "{}",
        "[]",
        "\"\"",
        "[null]",
        "{\"a\":null}",
        "-1",
        "0",
        "1",
        "0.5",
        "-0",
        "1e999",
        "1e-999",
        "NaN",
        "Infinity",
        "2147483647",
        "2147483648",
        "-2147483648",
        "4294967295",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "1".repeat(1100),
        "[".repeat(600),
        "{\"a\":".repeat(600),
        "\"" + "x".repeat(3000) + "\"",
        "\"../../../etc/passwd\"",
        "\"/dev/zero\"",
        "\"a\\u0000b\"",
        "\"\\ud800\"",
        "\u0000",
        "\n",
        "\r",
        "\uFEFF",
        "\u001b[31m",
        "\u2028",
        ",",
        ":",
        "}",
        "]",
        "\"",
        "\\",
        "- ",
        "&a ",
        "*a",
        "!!",
        "? ",
        "<<: ",
        "version https://git-lfs.github.com/spec/v1\n"
    };

    /** Whether to keep the reader for {@link GuidedFuzz} instead of running it. */
    static boolean guided;

    static Fuzz kept;

    private final String name;
    private final Path file;
    private final Reader reader;
    private final List<byte[]> seeds = new ArrayList<>();
    private final SplittableRandom random = new SplittableRandom(SEED);

    /**
     * @param name of the reader; of its cases' folder, too
     * @param file what is written before each reading; what else lies in its folder is left alone
     * @param seeds inputs that are read well
     */
    public Fuzz(String name, Path file, Reader reader, byte[]... seeds) {
        this.name = name;
        this.file = file;
        this.reader = reader;
        this.seeds.addAll(List.of(seeds));
        this.seeds.addAll(cases());
    }

    /** Text as a seed. */
    public static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Every seed as it is, then changed ones until the time is over. */
    public void run() throws IOException {
        if (guided) {
            kept = name.equals(System.getProperty("whirlwind.fuzz.name", name)) ? this : kept;
            return;
        }
        for (byte[] seed : seeds) {
            once(seed);
        }
        long end = System.nanoTime() + (long) (SECONDS * 1e9);
        long inputs = 0;
        while (System.nanoTime() < end) {
            once(changed());
            inputs++;
        }
        if (SECONDS > 10) {
            System.out.printf("%s: %,d inputs%n", name, inputs);
        }
    }

    List<byte[]> seeds() {
        return seeds;
    }

    /** One input, by whomever it was made. */
    public void once(byte[] input) throws IOException {
        // A new file, as an old one may still be mapped.
        Files.deleteIfExists(file);
        Files.write(file, input);
        long allocated = THREADS.getCurrentThreadAllocatedBytes();
        long start = System.nanoTime();
        long startOfWork = THREADS.getCurrentThreadCpuTime();
        String wrong = wrong();
        long worked = THREADS.getCurrentThreadCpuTime() - startOfWork;
        long waited = System.nanoTime() - start;
        allocated = THREADS.getCurrentThreadAllocatedBytes() - allocated;
        if (wrong == null && (worked > MOST_NANOS || waited > MOST_NANOS_WAITED)) {
            wrong = "it took %.1f s, %.1f of them of computing".formatted(waited * 1e-9, worked * 1e-9);
        }
        // A guided fuzzer instruments classes as they are loaded, on this thread.
        if (wrong == null && !guided && allocated > MOST_BYTES + input.length) {
            wrong = "it allocated " + (allocated >> 20) + " MB for " + input.length + " bytes";
        }
        if (wrong != null) {
            Path kept = Path.of("target", "fuzz", "%s-%08x".formatted(name, Arrays.hashCode(input)));
            Files.createDirectories(kept.getParent());
            Files.write(kept, input);
            throw new AssertionError(name + ", " + kept + ": " + wrong);
        }
    }

    /** What is wrong with how the reading ended, or null. */
    private String wrong() {
        try {
            reader.read(file);
            return null;
        } catch (UserException e) {
            String message = Reason.message(e.getMessage());
            boolean plain = !message.isBlank()
                    && message.length() <= LONGEST_MESSAGE
                    && message.codePoints().noneMatch(Fuzz::isControl);
            return plain ? null : "the message is not one short line: <" + message + ">";
        } catch (Throwable e) {
            StackTraceElement[] trace = e.getStackTrace();
            return e + (trace.length == 0 ? "" : " at " + trace[0] + " " + firstOfOurs(trace));
        }
    }

    private static String firstOfOurs(StackTraceElement[] trace) {
        return Arrays.stream(trace)
                .filter(e -> e.getClassName().startsWith("dev.whirlwind"))
                .map(StackTraceElement::toString)
                .findFirst()
                .orElse("");
    }

    private static boolean isControl(int c) {
        return Character.isISOControl(c) || c == 0x2028 || c == 0x2029;
    }

    /** Cases found earlier. */
    private List<byte[]> cases() {
        List<byte[]> found = new ArrayList<>();
        try (InputStream list = getClass().getResourceAsStream("/fuzz/" + name + "/cases")) {
            if (list != null) {
                for (String line : new String(list.readAllBytes(), StandardCharsets.UTF_8)
                        .lines()
                        .toList()) {
                    try (InputStream in = getClass().getResourceAsStream("/fuzz/" + name + "/" + line)) {
                        found.add(in.readAllBytes());
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    private byte[] changed() {
        byte[] bytes = seeds.get(random.nextInt(seeds.size())).clone();
        for (int change = 1 + random.nextInt(4); change > 0; change--) {
            bytes = change(bytes);
        }
        return bytes;
    }

    private byte[] change(byte[] bytes) {
        int from = random.nextInt(bytes.length + 1);
        int to = Math.min(bytes.length, from + 1 + random.nextInt(random.nextBoolean() ? 4 : 1 + bytes.length));
        return switch (random.nextInt(9)) {
            case 0 -> flipped(bytes, from, 1 << random.nextInt(8));
            case 1 -> flipped(bytes, from, random.nextInt(256));
            case 2 -> Arrays.copyOf(bytes, from);
            case 3 -> joined(bytes, from, new byte[0], to);
            case 4 -> joined(bytes, from, word(), from);
            case 5 -> joined(bytes, from, word(), to);
            case 6 -> joined(bytes, from, Arrays.copyOfRange(bytes, from, to), from);
            case 7 -> {
                byte[] other = seeds.get(random.nextInt(seeds.size()));
                int start = random.nextInt(other.length + 1);
                yield joined(bytes, from, Arrays.copyOfRange(other, start, other.length), bytes.length);
            }
            default -> withOtherNumber(bytes);
        };
    }

    private byte[] word() {
        return utf8(WORDS[random.nextInt(WORDS.length)]);
    }

    private static byte[] flipped(byte[] bytes, int at, int bits) {
        if (at < bytes.length) {
            bytes[at] ^= (byte) bits;
        }
        return bytes;
    }

    /** bytes[0, from) + middle + bytes[to, ...). */
    private static byte[] joined(byte[] bytes, int from, byte[] middle, int to) {
        byte[] joined = Arrays.copyOf(bytes, from + middle.length + bytes.length - to);
        System.arraycopy(middle, 0, joined, from, middle.length);
        System.arraycopy(bytes, to, joined, from + middle.length, bytes.length - to);
        return joined;
    }

    /** One of the numbers of a text, replaced; binary files have few that look like one. */
    private byte[] withOtherNumber(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int[][] places = NUMBER.matcher(text)
                .results()
                .map(match -> new int[] {match.start(), match.end()})
                .toArray(int[][]::new);
        if (places.length == 0) {
            return bytes;
        }
        int[] place = places[random.nextInt(places.length)];
        return joined(bytes, place[0], word(), place[1]);
    }
}
