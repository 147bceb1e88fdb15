package dev.whirlwind.training.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AvailableMemoryTest {
    private static final String V1 = "sys/fs/cgroup/memory";
    private static final String V2 = "sys/fs/cgroup";

    @TempDir
    Path root;

    /** 8,000 kB are free in all cases. */
    @BeforeEach
    void machine() throws IOException {
        write("proc/meminfo", "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    8000 kB\n");
    }

    private void write(String file, String content) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, content);
    }

    private void group2(String folder, String max, long current, long cache) throws IOException {
        write(folder + "/memory.max", max + "\n");
        write(folder + "/memory.current", current + "\n");
        write(folder + "/memory.stat", "anon 5\ninactive_file " + cache + "\nactive_file 7\nfile 9999999\n");
    }

    private void group1(String folder, long limit, long usage) throws IOException {
        write(folder + "/memory.limit_in_bytes", limit + "\n");
        write(folder + "/memory.usage_in_bytes", usage + "\n");
        write(folder + "/memory.stat", "inactive_file 1\ntotal_inactive_file 300\ntotal_active_file 40\n");
    }

    private OptionalLong read() {
        return new AvailableMemory(root).read();
    }

    @Test
    void withoutGroupsAllThatTheKernelThinksCanBeHad() {
        assertThat(read()).hasValue(8000 << 10);
    }

    @Test
    void aGroupOfVersion2AndItsReclaimableCache() throws IOException {
        write("proc/self/cgroup", "0::/app\n");
        group2(V2 + "/app", "1000000", 700_000, 50_000);
        assertThat(read()).hasValue(1_000_000 - 700_000 + 50_000 + 7);
    }

    @Test
    void theNarrowestOfNestedGroupsCounts() throws IOException {
        write("proc/self/cgroup", "0::/outer/inner/leaf\n");
        group2(V2 + "/outer", "500000", 100_000, 0);
        group2(V2 + "/outer/inner", "max", 100_000, 0);
        group2(V2 + "/outer/inner/leaf", "900000", 100_000, 0);
        assertThat(read()).hasValue(400_007);
    }

    @Test
    void aGroupWithoutALimit() throws IOException {
        write("proc/self/cgroup", "0::/app\n");
        group2(V2 + "/app", "max", 700_000, 0);
        assertThat(read()).hasValue(8000 << 10);
    }

    @Test
    void aLimitThatTheMachineCannotGive() throws IOException {
        write("proc/self/cgroup", "0::/app\n");
        group2(V2 + "/app", "100000000", 0, 0);
        assertThat(read()).hasValue(8000 << 10);
    }

    @Test
    void moreUsedThanAllowed() throws IOException {
        write("proc/self/cgroup", "0::/app\n");
        group2(V2 + "/app", "1000", 700_000, 0);
        assertThat(read()).hasValue(0);
    }

    /** The path is the host's, but a container sees its own group as the whole tree. */
    @Test
    void aContainer() throws IOException {
        write("proc/self/cgroup", "0::/../../docker/abc\n");
        group2(V2, "600000", 100_000, 0);
        assertThat(read()).hasValue(500_007);
    }

    @Test
    void aGroupOfVersion1() throws IOException {
        write("proc/self/cgroup", "9:name=systemd:/\n5:cpu,cpuacct:/x\n4:hugetlb,memory:/app/job\n0::/\n");
        group1(V1 + "/app", 9_000, 1_000);
        group1(V1 + "/app/job", 8_500, 1_000);
        group1(V1, 9223372036854771712L, 123);
        group1(V1 + "/x", 1, 0);
        assertThat(read()).hasValue(8_500 - 1_000 + 340);
    }

    @Test
    void filesThatAreMissingOrNotUnderstood() throws IOException {
        write("proc/self/cgroup", "nonsense\n0::/app\n4:memory:/gone\n");
        write(V2 + "/app/memory.max", "a lot\n");
        write(V2 + "/app/memory.current", "");
        write(V2 + "/memory.max", "1000\n");
        assertThat(read()).hasValue(8000 << 10);
        write(V2 + "/memory.current", "400\n");
        assertThat(read()).as("without statistics no cache").hasValue(600);
    }

    @Test
    void noLinux() throws IOException {
        Files.delete(root.resolve("proc/meminfo"));
        assertThat(read()).isEmpty();
    }

    @Test
    void thisMachine() {
        assertThat(AvailableMemory.bytes()).isBetween(1L << 20, 1L << 50);
    }
}
