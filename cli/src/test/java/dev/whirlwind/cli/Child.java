package dev.whirlwind.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Other processes with this one's Java and class path. */
public final class Child {
    private Child() {}

    public static List<String> program(List<String> properties, Object... args) {
        return java(Main.class, properties, args);
    }

    public static List<String> java(Class<?> main, List<String> properties, Object... args) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "-Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-Xms96m",
                "-Xmn64m"));
        command.addAll(properties);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        for (Object arg : args) {
            command.add(arg.toString());
        }
        return command;
    }

    /** A process whose standard error, and output, go to a file. */
    public static Process start(List<String> command, Path output) throws IOException {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
    }

    public static void signal(Process process, String name) throws IOException, InterruptedException {
        new ProcessBuilder("kill", "-" + name, String.valueOf(process.pid()))
                .start()
                .waitFor();
    }

    /** Waits until a file has a text in it, or is there at all for an empty one; false where the process ended before. */
    public static boolean awaits(Process process, Path file, String text) throws IOException, InterruptedException {
        while (!(Files.exists(file) && (text.isEmpty() || Files.readString(file).contains(text)))) {
            if (!process.isAlive()) {
                return false;
            }
            Thread.sleep(2);
        }
        return true;
    }
}
