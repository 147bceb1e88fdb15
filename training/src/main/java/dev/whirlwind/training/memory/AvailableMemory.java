package dev.whirlwind.training.memory;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * Memory that can still be taken before the kernel kills somebody. On Linux that is what the kernel itself estimates, or
 * less where a control group, or one that it lies in, has a limit (cgroups of version 1 and 2; container memory limits are
 * these). Elsewhere it is all of the machine's, as free memory alone says little there.
 */
public final class AvailableMemory {
    private final Path root;

    /** @param root the folder that {@code proc} and {@code sys} lie in */
    AvailableMemory(Path root) {
        this.root = root;
    }

    /** In bytes, at this moment. */
    public static long bytes() {
        return new AvailableMemory(Path.of("/")).read().orElseGet(AvailableMemory::machine);
    }

    private static long machine() {
        return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
    }

    /** Empty where this is no Linux. */
    OptionalLong read() {
        LongStream machine = field("proc/meminfo", "MemAvailable:").stream().map(kilobytes -> kilobytes << 10);
        return LongStream.concat(machine, lines("proc/self/cgroup").stream().flatMapToLong(this::groups))
                .min();
    }

    /** Room in the groups of a line such as {@code 4:memory:/a/b} (version 1) or {@code 0::/a/b} (version 2). */
    private LongStream groups(String line) {
        String[] parts = line.split(":", 3);
        if (parts.length < 3) {
            return LongStream.empty();
        }
        boolean second = parts[1].isEmpty();
        if (!second && !List.of(parts[1].split(",")).contains("memory")) {
            return LongStream.empty();
        }
        String mount = second ? "sys/fs/cgroup" : "sys/fs/cgroup/memory";
        // In a container the path may be one of the host's; then only the mount itself is there.
        Path group = Path.of("/" + parts[2]).normalize();
        return Stream.iterate(group, path -> path != null, Path::getParent)
                .map(path -> mount + path)
                .flatMapToLong(folder -> (second
                                ? room(folder, "memory.max", "memory.current", "")
                                : room(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"))
                        .stream());
    }

    /** What a group may still take, the cache of files among it, which the kernel gives up; empty without a limit. */
    private OptionalLong room(String folder, String limit, String usage, String prefix) {
        OptionalLong most = number(folder + "/" + limit);
        OptionalLong used = number(folder + "/" + usage);
        if (most.isEmpty() || used.isEmpty()) {
            return OptionalLong.empty();
        }
        String stat = folder + "/memory.stat";
        long cache = field(stat, prefix + "inactive_file").orElse(0)
                + field(stat, prefix + "active_file").orElse(0);
        return OptionalLong.of(Math.max(0, most.getAsLong() - Math.max(0, used.getAsLong() - cache)));
    }

    private OptionalLong field(String file, String name) {
        return lines(file).stream()
                .map(line -> line.trim().split("\\s+"))
                .filter(words -> words.length > 1 && words[0].equals(name))
                .flatMapToLong(words -> parse(words[1]).stream())
                .findFirst();
    }

    private OptionalLong number(String file) {
        return lines(file).stream()
                .limit(1)
                .flatMapToLong(line -> parse(line.trim()).stream())
                .findFirst();
    }

    /** Empty for {@code max} and anything else that is no number. */
    private static OptionalLong parse(String number) {
        return number.matches("\\d{1,18}") ? OptionalLong.of(Long.parseLong(number)) : OptionalLong.empty();
    }

    private List<String> lines(String file) {
        try {
            return Files.readAllLines(root.resolve(file), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return List.of();
        }
    }
}
