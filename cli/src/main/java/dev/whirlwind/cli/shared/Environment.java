package dev.whirlwind.cli.shared;

import com.sun.management.OperatingSystemMXBean;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.SequencedMap;

/** What a process works with, in words. */
public final class Environment {
    private Environment() {}

    /** Of a process that trains this model on this engine. */
    public static SequencedMap<String, String> of(Engine engine, ModelConfig model) {
        SequencedMap<String, String> facts = new LinkedHashMap<>();
        facts.put(
                "model",
                String.format(
                        Locale.ROOT,
                        "%s, %,d parameters",
                        model.architecture().name().toLowerCase(Locale.ROOT),
                        new ParameterLayout(model).parameterCount()));
        facts.put("engine", engine.name() + ": " + engine.description());
        facts.put("precision", engine.precision().toString().toLowerCase(Locale.ROOT));
        facts.put("processor", processor() + ", " + Runtime.getRuntime().availableProcessors() + " cores");
        if (ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system) {
            facts.put("memory", String.format(Locale.ROOT, "%.1f GiB", system.getTotalMemorySize() / 0x1p30));
        }
        facts.put(
                "system",
                System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                        + System.getProperty("os.arch"));
        facts.put("java", System.getProperty("java.runtime.version") + ", " + System.getProperty("java.vendor"));
        return facts;
    }

    /** Its name where Linux tells it. */
    private static String processor() {
        try {
            return Files.readString(Path.of("/proc/cpuinfo"))
                    .lines()
                    .filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse(System.getProperty("os.arch"));
        } catch (IOException e) {
            return System.getProperty("os.arch");
        }
    }
}
