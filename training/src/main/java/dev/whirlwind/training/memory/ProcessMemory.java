package dev.whirlwind.training.memory;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Memory that this process has of the machine, as Linux tells; elsewhere nothing is known. */
public final class ProcessMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Pattern NOW = Pattern.compile("VmRSS:\\s+(\\d+) kB");
    private static final Pattern MOST = Pattern.compile("VmHWM:\\s+(\\d+) kB");

    private ProcessMemory() {}

    /** At this moment, in MiB. */
    public static OptionalDouble mib() {
        return read(NOW);
    }

    /** The most that it has had, in MiB. */
    public static OptionalDouble mostMib() {
        return read(MOST);
    }

    private static OptionalDouble read(Pattern pattern) {
        try {
            Matcher matcher = pattern.matcher(Files.readString(STATUS, StandardCharsets.US_ASCII));
            return matcher.find()
                    ? OptionalDouble.of(Long.parseLong(matcher.group(1)) / 1024.0)
                    : OptionalDouble.empty();
        } catch (IOException _) {
            return OptionalDouble.empty();
        }
    }
}
