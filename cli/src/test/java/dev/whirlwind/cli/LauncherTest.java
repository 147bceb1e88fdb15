package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.terminal.Interruption;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The launcher in a copy of the house that is already built, so that no test starts a build. */
@DisabledOnOs(OS.WINDOWS)
class LauncherTest {
    @TempDir
    static Path temp;

    private static Path home;

    @BeforeAll
    static void build() throws IOException {
        Path root = Path.of("").toAbsolutePath().getParent();
        home = Files.createDirectories(temp.resolve("a house"));
        Files.copy(root.resolve("whirlwind"), home.resolve("whirlwind"));
        assertThat(home.resolve("whirlwind").toFile().setExecutable(true)).isTrue();
        Files.createDirectories(home.resolve(".mvn"));
        Files.copy(root.resolve(".mvn/find-jdk.sh"), home.resolve(".mvn/find-jdk.sh"));
        Files.copy(root.resolve(".mvn/tornado-flags.sh"), home.resolve(".mvn/tornado-flags.sh"));
        Path lib = Files.createDirectories(home.resolve("cli/target/launcher"));
        List<String> jars = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            Path path = Path.of(entry);
            if (Files.isDirectory(path)) {
                jar(path, lib.resolve("classes-" + jars.size() + ".jar"));
            }
            jars.add(path.toUri().toString());
        }
        // One that names all the others stands for copies of them.
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().put(Attributes.Name.CLASS_PATH, String.join(" ", jars));
        try (OutputStream file = Files.newOutputStream(lib.resolve("others.jar"))) {
            new JarOutputStream(file, manifest).close();
        }
        Files.createFile(home.resolve("cli/target/launcher/built"));
    }

    private static void jar(Path classes, Path jar) throws IOException {
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file);
                Stream<Path> paths = Files.walk(classes)) {
            for (Path path : paths.filter(Files::isRegularFile).toList()) {
                out.putNextEntry(new JarEntry(classes.relativize(path).toString()));
                Files.copy(path, out);
            }
        }
    }

    private static Cli.Result start(Path directory, Map<String, String> environment, String... command)
            throws Exception {
        Path out = temp.resolve("out.txt");
        Path err = temp.resolve("err.txt");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("TORNADO"));
        // With any of these the JVM says so on standard error.
        builder.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"));
        builder.environment().put("SDKMAN_DIR", temp.toString());
        builder.environment().putAll(environment);
        int code = builder.start().waitFor();
        return new Cli.Result(code, Files.readString(out), Files.readString(err));
    }

    @Test
    void argumentsArriveUnchangedThroughALinkFromAnotherFolder() throws Exception {
        Path elsewhere = Files.createDirectories(temp.resolve("else where"));
        Files.createSymbolicLink(elsewhere.resolve("wind"), Path.of("../a house/whirlwind"));
        String awkward = "two  spaces | 'single' \"double\" $HOME * \\ é";
        for (int i = 0; i < 2; i++) {
            List<String> command = new ArrayList<>(List.of("./wind", "init", "--config", awkward, "--out", "x"));
            start(elsewhere, Map.of(), command.toArray(String[]::new))
                    .fails("--config " + awkward + ": neither a file");
        }
        // The archive of the first start served the second.
        assertThat(home.resolve("cli/target/launcher/classes.aot")).exists();
    }

    /** Where the locale knows ASCII only: arguments, names of files, and what is printed. */
    @ParameterizedTest
    @ValueSource(strings = {"C", "xx_YY.UTF-8"})
    void namesAndPromptsArriveWhateverTheLocale(String locale) throws Exception {
        Map<String, String> environment = Map.of("LC_ALL", locale);
        Path model = Cli.model(temp.resolve(locale + "/modèle"));
        Path texts = temp.resolve("文");
        for (String name : List.of("上", "下", "中")) {
            Cli.write(texts.resolve(name + ".jsonl"), "{\"text\": \"" + name.repeat(20) + "\", \"id\": 1}\n{}\n");
        }
        String launcher = home.resolve("whirlwind").toString();
        Cli.Result generated = start(
                temp,
                environment,
                launcher,
                "generate",
                "--model",
                model.toString(),
                "--prompt",
                "é中",
                "--max-tokens",
                "2",
                "--engine",
                "cpu",
                "--json");
        assertThat(generated.succeeds().json().path("prompt").stringValue()).isEqualTo("é中");
        start(temp, environment, launcher, "prepare", "--model", model.toString(), "--data", "文", "--out", "x")
                .fails("文/上.jsonl:2: no string field");
    }

    @Test
    void aPipeIsReadAsText() throws Exception {
        Path model = Cli.model(temp.resolve("piped"));
        Cli.Result result = start(
                temp,
                Map.of(),
                "sh",
                "-c",
                "echo some text | 'a house/whirlwind' prepare --model piped --data /dev/stdin --out piped-out --held-out 0"
                        + " --json");
        assertThat(result.succeeds().json().path("train").path("documents").intValue())
                .isEqualTo(1);
        start(temp, Map.of(), "sh", "-c", "'a house/whirlwind' prepare --model piped --data /dev/zero --out zero")
                .fails("/dev/zero is a device");
        assertThat(model).exists();
    }

    @Test
    void standardInputIsRead() throws Exception {
        Path model = Cli.model(temp.resolve("model"));
        Cli.Result result = start(
                temp,
                Map.of(),
                "sh",
                "-c",
                "printf 'Line' | 'a house/whirlwind' generate --model model --max-tokens 3 --engine cpu");
        assertThat(result.succeeds().err()).isEmpty();
        assertThat(result.out())
                .isEqualTo(Cli.run("generate", "--model", model, "--prompt", "Line", "--max-tokens", "3")
                        .out());
    }

    /** Or else the first file that Java opens would be the prompt. */
    @Test
    void whatIsClosedIsEmpty() throws Exception {
        Cli.model(temp.resolve("closed"));
        String generate = "'a house/whirlwind' generate --model closed --max-tokens 2 --engine cpu --json";
        Cli.Result result = start(temp, Map.of(), "sh", "-c", generate + " <&-");
        assertThat(result.succeeds().json().path("prompt").stringValue()).isEmpty();
        assertThat(start(temp, Map.of(), "sh", "-c", generate + " --prompt x 2>&-")
                        .code())
                .isZero();
    }

    @Test
    void aResultThatCannotBeWrittenIsTold() throws Exception {
        // Open for reading only.
        start(temp, Map.of(), "sh", "-c", "'a house/whirlwind' devices --json 1</dev/null")
                .fails("standard output cannot be written to");
    }

    /** What an SDK consists of, with nothing in it. */
    private static Path sdk(String name, String... backends) throws IOException {
        Path sdk = temp.resolve(name);
        Path jars = Files.createDirectories(sdk.resolve("share/java/tornado"));
        for (String jar : List.of("api", "runtime", "drivers-common")) {
            jar(Files.createDirectories(temp.resolve("nothing")), jars.resolve("tornado-" + jar + "-1.jar"));
        }
        Cli.write(
                sdk.resolve("etc/exportLists/common-exports"),
                "# of all\n\n--add-exports java.base/sun.nio=ALL-UNNAMED \n");
        for (String backend : backends) {
            jar(temp.resolve("nothing"), jars.resolve("tornado-drivers-" + backend + "-1.jar"));
            Cli.write(
                    sdk.resolve("etc/exportLists/" + backend + "-exports"), "--add-reads=java.base=" + backend + "\n");
            Cli.write(sdk.resolve("lib/libtornado-" + backend + (isMac() ? ".dylib" : ".so")), "");
        }
        return sdk;
    }

    private static boolean isMac() {
        return System.getProperty("os.name").startsWith("Mac");
    }

    /** The flags for an SDK, or why there are none. */
    private static Cli.Result flags(Path sdk, String release) throws Exception {
        Path jdk = Files.createDirectories(temp.resolve("jdk"));
        Cli.write(jdk.resolve("release"), release);
        return start(
                temp,
                Map.of("TORNADOVM_HOME", sdk.toString(), "JAVA_HOME", jdk.toString()),
                "sh",
                "-euc",
                ". 'a house/.mvn/tornado-flags.sh'; whirlwind_tornado_flags");
    }

    private static final String WITH_JVMCI = "MODULES=\"java.base jdk.internal.vm.ci\"\n";

    @Test
    void flagsFollowFromWhatAnSdkHolds() throws Exception {
        Path sdk = sdk("an sdk", "opencl", "ptx");
        Cli.write(sdk.resolve("etc/tornado.backend"), "tornado.backends=ptx-backend\n");
        jar(temp.resolve("nothing"), sdk.resolve("share/java/tornado/tornado-cublas-1.jar"));
        assertThat(flags(sdk, WITH_JVMCI).succeeds().out().lines())
                .contains(
                        "-XX:+EnableJVMCI",
                        "--add-exports=java.base/sun.nio=ALL-UNNAMED",
                        "--add-reads=java.base=opencl",
                        "--add-modules=tornado.runtime,tornado.annotation,tornado.drivers.common,tornado.drivers.opencl")
                .anyMatch(flag -> flag.startsWith("--module-path=") && flag.contains("tornado-drivers-opencl-1.jar"))
                .noneMatch(flag -> flag.contains("ptx") || flag.contains("cublas") || flag.contains("patch"));
    }

    /** As its launcher does, by its public sources: no such SDK was at hand. */
    @Test
    void flagsForAnSdkWithItsOwnCompiler() throws Exception {
        Path sdk = sdk("6.0", "metal");
        Files.delete(sdk.resolve("lib/libtornado-metal" + (isMac() ? ".dylib" : ".so")));
        Path jvmci = sdk.resolve("share/java/jvmci/jvmci-21.0.2.jar");
        Cli.write(jvmci, "");
        Cli.write(sdk.resolve("share/java/graalJars/tornado-graal-6.jar"), "");
        Cli.write(sdk.resolve("etc/tornado.jdk"), "tornado.jdk.floor=22\ntornado.jdk.preview=false\n");
        assertThat(flags(sdk, WITH_JVMCI).succeeds().out().lines())
                .contains(
                        "-XX:+EnableJVMCI",
                        "-Djdk.internal.vm.ci.enabled=true",
                        "--patch-module=jdk.internal.vm.ci=" + jvmci,
                        "--upgrade-module-path=" + sdk.resolve("share/java/graalJars"),
                        "--add-modules=tornado.runtime,tornado.annotation,tornado.drivers.common,tornado.graal,"
                                + "tornado.drivers.metal");
        assertThat(flags(sdk, "MODULES=\"java.base\"\n").succeeds().out().lines())
                .contains("--add-exports=java.base/jdk.internal.misc=jdk.internal.vm.ci")
                .anyMatch(flag -> flag.startsWith("--module-path=") && flag.endsWith(":" + jvmci.getParent()))
                .noneMatch(flag -> flag.contains("EnableJVMCI") || flag.contains("patch-module"));
        Cli.write(sdk.resolve("etc/tornado.jdk"), "tornado.jdk.floor=27\n");
        assertThat(flags(sdk, WITH_JVMCI).out()).contains("needs JDK 27, but Whirlwind runs on 25");
    }

    @Test
    void whatIsWrongWithAnSdkIsNamed() throws Exception {
        assertThat(flags(temp.resolve("no sdk"), WITH_JVMCI).out())
                .startsWith("TORNADOVM_HOME is " + temp.resolve("no sdk") + ", which is no TornadoVM SDK");
        Path half = sdk("half", "opencl", "cuda");
        Files.delete(half.resolve("lib/libtornado-cuda" + (isMac() ? ".dylib" : ".so")));
        assertThat(flags(half, WITH_JVMCI).succeeds().out())
                .contains("-Dwhirlwind.tornado.left.out=back end cuda: lib/libtornado-cuda")
                .contains("is missing from the SDK")
                .doesNotContain("drivers.cuda");
        Files.delete(half.resolve("lib/libtornado-opencl" + (isMac() ? ".dylib" : ".so")));
        assertThat(flags(half, WITH_JVMCI).out())
                .contains(
                        "has no back end that can start (back end opencl: lib/libtornado-opencl", "; back end cuda: ");
        Files.delete(half.resolve("share/java/tornado/tornado-runtime-1.jar"));
        assertThat(flags(half, WITH_JVMCI).out())
                .contains("SDK in " + half + " is not whole (share/java/tornado/tornado-runtime-*.jar is missing)");
    }

    /** A folder that was named is never replaced in silence by what else there is, nor by the CPU. */
    @Test
    void aWrongTornadoHomeIsNamed() throws Exception {
        Map<String, String> environment = Map.of("TORNADOVM_HOME", "/no/such/sdk");
        Files.createDirectories(temp.resolve("candidates/tornadovm/current/share/java/tornado"));
        String problem = "TORNADOVM_HOME is /no/such/sdk, which is no TornadoVM SDK";
        Cli.model(temp.resolve("named"));
        String launcher = home.resolve("whirlwind").toString();
        String[] generate = {launcher, "generate", "--model", "named", "--prompt", "a", "--max-tokens", "1"};
        Cli.Result generated = start(temp, environment, generate).succeeds();
        assertThat(generated.err()).contains("engine cpu (" + problem);
        start(temp, environment, launcher, "bench", "--model", "byte-tiny", "--engine", "tornado")
                .fails(problem);
    }

    /** A JDK whose java says what it was told. */
    private static Path tellingJdk() throws IOException {
        Path jdk = temp.resolve("telling jdk");
        Cli.write(jdk.resolve("release"), "JAVA_VERSION=\"25.0.1\"\n" + WITH_JVMCI);
        for (String program : List.of("java", "javac")) {
            Path script = jdk.resolve("bin").resolve(program);
            Cli.write(script, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
            assertThat(script.toFile().setExecutable(true)).isTrue();
        }
        return jdk;
    }

    /** With TornadoVM's modules Java takes seconds longer to start. */
    @ParameterizedTest
    @CsvSource({
        "'', false",
        "--help, false",
        "--version, false",
        "train --help, false",
        "--verbose init --config x, false",
        "prepare --data x, false",
        "eval RUN --engine cpu, false",
        "eval RUN --engine=loops, false",
        "devices, true",
        "demo, true",
        "--verbose train --model x, true",
    })
    void onlyWhatMayComputeStartsWithTornado(String arguments, boolean with) throws Exception {
        Path sdk = sdk("told sdk", "opencl");
        List<String> command = new ArrayList<>(List.of("a house/whirlwind"));
        command.addAll(arguments.isEmpty() ? List.of() : List.of(arguments.split(" ", -1)));
        Map<String, String> environment = Map.of(
                "TORNADOVM_HOME", sdk.toString(), "JAVA_HOME", tellingJdk().toString());
        String told = start(temp, environment, command.toArray(String[]::new)).out();
        assertThat(told)
                .endsWith(
                        "dev.whirlwind.cli.Main\n" + (arguments.isEmpty() ? "" : arguments.replace(' ', '\n') + "\n"));
        assertThat(told.contains("--module-path=")).isEqualTo(with);
    }

    /** Java ends before Main with modules made for a newer one, as with those that are missing. */
    @Test
    void saysThatAnSdkDoesNotFit() throws Exception {
        Path sdk = sdk("other sdk", "opencl");
        Cli.write(sdk.resolve("etc/exportLists/opencl-exports"), "");
        Map<String, String> environment = Map.of("TORNADOVM_HOME", sdk.toString());
        for (int i = 0; i < 2; i++) {
            start(temp, environment, "a house/whirlwind", "bench", "--model", "byte-tiny", "--engine", "tornado")
                    .fails("SDK in " + sdk + " does not fit the JDK in ", "tornado", "TORNADOVM_HOME");
        }
        Cli.Result devices =
                start(temp, environment, "a house/whirlwind", "devices").succeeds();
        assertThat(devices.out()).contains("cpu            usable", "tornado        not usable  the TornadoVM SDK");
    }

    /** A limit on the size of files makes the system refuse a write as a full disk does. */
    @Test
    void aFullDiskLeavesNoPartOfAModel() throws Exception {
        start(temp, Map.of(), "sh", "-c", "ulimit -f 200; 'a house/whirlwind' init --config byte-tiny --out large")
                .fails("large/model.safetensors", "cannot be written", "free some space");
        assertThat(temp.resolve("large")).doesNotExist();
    }

    /** The filter on standard error, which is of the same process group, gets the signal as well. */
    @Test
    @Timeout(value = 120, unit = TimeUnit.SECONDS)
    void ctrlCOnATerminalSaves() throws Exception {
        Path run = temp.resolve("run");
        try (Pty pty = new Pty(
                80,
                Map.of("SDKMAN_DIR", temp.toString()),
                List.of(
                        home.resolve("whirlwind").toString(),
                        "train",
                        "--model",
                        Cli.model(temp.resolve("pty model")).toString(),
                        "--data",
                        Cli.texts(temp.resolve("texts")).toString(),
                        "--out",
                        run.toString(),
                        "--steps",
                        "90000",
                        "--sequence",
                        "8",
                        "--engine",
                        "cpu"))) {
            pty.until("\u001B[Ktrain").until("tokens/s");
            pty.press(Pty.CTRL_C);
            assertThat(pty.end()).as(pty.shown()).isEqualTo(Interruption.EXIT_CODE);
            assertThat(pty.shown())
                    .contains("everything is saved; go on with: whirlwind resume " + run)
                    .doesNotContain("WARNING");
        }
        assertThat(run.resolve("checkpoints").toFile().list()).hasSize(1);
    }

    @Test
    void saysWhereToGetAJdk() throws Exception {
        Path bare = Files.createDirectories(temp.resolve("bare"));
        Files.copy(home.resolve("whirlwind"), bare.resolve("whirlwind"));
        Cli.write(bare.resolve(".mvn/find-jdk.sh"), "whirlwind_is_jdk25() { false; }\n");
        start(temp, Map.of("JAVA_HOME", "/nowhere"), "bare/whirlwind", "--help")
                .fails("JDK 25", "adoptium.net", "JAVA_HOME");
    }
}
