package dev.whirlwind.tornado;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the simulator counted of one kernel's run, over all items.
 *
 * @param instructions those that a GPU has, too: not what names or converts an address, or moves a register
 * @param arithmetic additions, multiplications and divisions of floats; a multiply-add is one
 */
record Counts(String kernel, double instructions, double globalBytes, double localBytes, double arithmetic) {
    private static final Pattern KERNEL = Pattern.compile("Instructions executed for kernel '(\\w+)':");
    private static final Pattern LINE = Pattern.compile(" *(\\d+) - (.*?)(?: \\((\\d+) bytes\\))?");

    private static final Pattern FREE =
            Pattern.compile("alloca|getelementptr|bitcast|phi|[sz]ext|trunc|inttoptr|ptrtoint|(load|store) private");

    /** Kernels that move what a program needs, and belong to none. */
    private static final Set<String> NOT_RECORDED = Set.of("wTouch", "wTouchInts", "wUpload", "wCanary");

    Counts plus(Counts other) {
        return new Counts(
                kernel,
                instructions + other.instructions,
                globalBytes + other.globalBytes,
                localBytes + other.localBytes,
                arithmetic + other.arithmetic);
    }

    /** All runs in order, of what {@code OCLGRIND_INST_COUNTS} prints. */
    static List<Counts> read(Path log) throws IOException {
        List<Counts> all = new ArrayList<>();
        Counts now = null;
        // Other text may have other bytes.
        for (String line : Files.readString(log, StandardCharsets.ISO_8859_1).split("\n", -1)) {
            Matcher kernel = KERNEL.matcher(line);
            Matcher counted = LINE.matcher(line);
            if (kernel.find()) {
                now = new Counts(kernel.group(1), 0, 0, 0, 0);
            } else if (now != null && counted.matches()) {
                now = now.plus(
                        one(now.kernel, Double.parseDouble(counted.group(1)), counted.group(2), counted.group(3)));
            } else if (now != null) {
                if (!NOT_RECORDED.contains(now.kernel)) {
                    all.add(now);
                }
                now = null;
            }
        }
        return all;
    }

    private static Counts one(String kernel, double count, String instruction, String bytes) {
        double moved = bytes == null ? 0 : Double.parseDouble(bytes);
        boolean computes = instruction.matches(
                "f(add|sub|mul|div)|call _Z\\d+(fma|exp|log|rsqrt|sqrt)f+\\(\\)|call llvm\\.fmuladd.*");
        return new Counts(
                kernel,
                FREE.matcher(instruction).matches() ? 0 : count,
                instruction.contains(" global") ? moved : 0,
                instruction.contains(" local") ? moved : 0,
                computes ? count : 0);
    }
}
