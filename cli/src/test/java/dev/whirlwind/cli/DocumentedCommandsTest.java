package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.cli.Cli.Result;
import dev.whirlwind.cli.CommandLoop.Request;
import dev.whirlwind.model.files.Storage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/**
 * Every command of the documents, in their order and as they stand there, in a folder where small stand-ins lie for the
 * models and texts that they name. A shell takes the lines apart.
 */
@EnabledOnOs({OS.LINUX, OS.MAC})
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class DocumentedCommandsTest {
    private static final Path HOME = Path.of("..").toAbsolutePath().normalize();
    private static final Path EXAMPLES = HOME.resolve("examples");

    /** What is read in place of an option's value, for each command; one that is missing here is no command's yet. */
    private static final Map<String, Map<String, String>> SHORTER = Map.ofEntries(
            Map.entry("demo", Map.of()),
            Map.entry(
                    "init",
                    Map.of("--config llama-15m", "--config my/config.json", "--out models/small", "--out models/made")),
            Map.entry("prepare", Map.of()),
            Map.entry("tokenizer", Map.of("--vocab 8192", "--vocab 280", "--add 200", "--add 10")),
            Map.entry(
                    "train",
                    Map.of(
                            "--tokens 10000000",
                            "--tokens 50000",
                            "--tokens 200000",
                            "--tokens 1100",
                            "--eval-windows 60",
                            "--eval-windows 2",
                            "--warmup 100",
                            "--warmup 2")),
            Map.entry("resume", Map.of("--steps 5000", "--steps 8")),
            Map.entry("plan", Map.of()),
            Map.entry("lr-find", Map.of()),
            Map.entry("fisher", Map.of()),
            Map.entry("teach", Map.of()),
            Map.entry("report", Map.of()),
            Map.entry("eval", Map.of("--max-windows 200", "--max-windows 4", "--passages 200", "--passages 4")),
            Map.entry("score", Map.of()),
            Map.entry("export", Map.of()),
            Map.entry(
                    "merge",
                    Map.of(
                            "--max-windows 60",
                            "--max-windows 2",
                            "--sweep 0,0.5,0.7,0.85,1",
                            "--sweep 0,1",
                            "--sweep 0,0.25,0.5,0.75,1",
                            "--sweep 0,0.5,1")),
            Map.entry("generate", Map.of()),
            Map.entry("parity", Map.of("--engine loops", "--engine cpu")),
            // Tornado's kernels as plain Java, where there is no device.
            Map.entry(
                    "compare",
                    Map.of(
                            "--engines cpu,tornado",
                            "--engines cpu,loops",
                            "--batch 8",
                            "--batch 1",
                            "--sequence 512",
                            "--sequence 64",
                            "--steps 5",
                            "--steps 1")),
            Map.entry("bench", Map.of("--model gpt2", "--model models/gpt2", "--steps 20", "--steps 2")),
            Map.entry("devices", Map.of()));

    /** What a command gets besides, where it has nothing of that kind. */
    private static final Map<String, List<String>> BESIDES = Map.of(
            "demo", List.of("--fraction", "0.001"),
            "lr-find", List.of("--steps", "10"),
            "train", List.of("--eval-windows", "2"),
            "compare", List.of("--steps", "1"),
            "bench", List.of("--steps", "2"));

    private static final String ARC = """
            {"question": {"stem": "What is hot?", "choices": [{"text": "ice", "label": "A"}, {"text": "fire", "label": "B"}]}, \
            "answerKey": "B"}
            """;

    /** Other programs that documents may call. */
    private static final Set<String> PROGRAMS = Set.of("touch");

    private static final Pattern FENCE = Pattern.compile("```(\\w*)");
    private static final Pattern COMMAND = Pattern.compile("(\\./)?whirlwind .*");

    /** Single files that documents name. */
    private static final Map<String, String> FILES = Map.ofEntries(
            Map.entry("texts/new.txt", text("new", 0)),
            Map.entry("texts/general.txt", text("general", 20)),
            Map.entry("other.txt", text("other", 0)),
            Map.entry("wiki.txt", text("wiki", 0)),
            Map.entry("other.jsonl", rows("other")),
            Map.entry("prompts.txt", "The first line\nThe second line\n"),
            Map.entry("options.yaml", "model: models/small\ndata: [texts/]\nschedule: constant\nsteps: 6\n"),
            Map.entry("translations.txt", "The cat sat.\nIt rained.\n"),
            Map.entry("first.txt", "The cat sat.\nIt was raining.\n"),
            Map.entry("second.txt", "A cat was sitting.\nRain fell.\n"),
            Map.entry("answers.jsonl", "\"four\"\n\"in Rome\"\n"),
            Map.entry("references.jsonl", "\"four\"\n[\"Rome\", \"in Rome\"]\n"),
            Map.entry("hellaswag_val.jsonl", """
                    {"activity_label": "Cooking", "ctx_a": "He stirs.", "ctx_b": "she", "endings": ["a", "b", "c", "d"], "label": 2}
                    """),
            Map.entry("ARC-Easy-Test.jsonl", ARC),
            Map.entry("test.jsonl", ARC),
            Map.entry("train.jsonl", ARC.repeat(5)),
            Map.entry("summaries.jsonl", "{\"prompt\": \"Summarise: it rained.\", \"references\": [\"Rain.\"]}\n"),
            Map.entry("quiz.jsonl", """
                    {"context": "", "question": "2 + 2?", "options": ["3", "4"], "choices": ["3", "4"], "answer": 1, "label": 1}
                    """));

    private static final String GPT2 = """
            {"model_type": "gpt2", "vocab_size": 256, "n_embd": 24, "n_layer": 2, "n_head": 2, "n_positions": 32}
            """;
    private static final String QWEN3 = Cli.TINY.replace("llama", "qwen3").replace("\"rms", "\"head_dim\": 12, \"rms");

    /** The same kinds of model as those that documents name, with some thousand parameters that read bytes. */
    private static final Map<String, String> MODELS = Map.of(
            "tiny", Cli.TINY,
            "small", Cli.TINY,
            "large", Cli.TINY,
            "llama", Cli.TINY,
            "Llama-3.2-1B", Cli.TINY,
            "Llama-3.2-3B", Cli.TINY,
            "gpt2", GPT2,
            "gpt2-xl", GPT2,
            "Qwen3-0.6B-Base", QWEN3,
            "Qwen3-4B-Base", QWEN3);

    @TempDir
    static Path standIns;

    @TempDir
    static Path folder;

    private static Process program;
    private static BufferedReader answers;
    private static PrintStream requests;

    /** In a process of its own, whose working folder the paths of the documents begin at. */
    @BeforeAll
    static void start() throws IOException {
        makeStandIns();
        program = new ProcessBuilder(Child.java(CommandLoop.class, List.of()))
                .directory(folder.toFile())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        answers = program.inputReader(StandardCharsets.UTF_8);
        requests = new PrintStream(program.getOutputStream(), true, StandardCharsets.UTF_8);
    }

    @AfterAll
    static void end() {
        program.destroyForcibly();
    }

    /** Nothing but the stand-ins. */
    @BeforeEach
    void tidy() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Storage.delete(file);
            }
        }
        copy(standIns, folder);
    }

    /** The page on evaluation goes on with the models of the one before it. */
    @ParameterizedTest
    @ValueSource(strings = {"README.md", "docs/guide.md", "docs/user-guide.md docs/evaluation.md"})
    void documents(String names) throws Exception {
        List<String> failures = new ArrayList<>();
        for (String name : names.split(" ", -1)) {
            List<String> lines = commands(Files.readAllLines(HOME.resolve(name)));
            assertThat(lines).isNotEmpty();
            for (String line : lines) {
                run(line).ifPresent(why -> failures.add(line + "\n" + why));
            }
        }
        assertThat(failures).isEmpty();
    }

    /** Each example names the command that it is for in its comments. */
    @Test
    void examples() throws Exception {
        List<Path> examples;
        try (Stream<Path> files = Files.list(EXAMPLES)) {
            examples = files.sorted().toList();
        }
        List<String> failures = new ArrayList<>();
        for (Path example : examples) {
            List<String> lines = Files.readAllLines(example).stream()
                    .filter(line -> line.startsWith("#"))
                    .map(line -> line.substring(1).strip())
                    .filter(line -> COMMAND.matcher(line).matches())
                    .toList();
            assertThat(lines).as(example + ": its command").isNotEmpty();
            for (String line : lines) {
                run(line).ifPresent(why -> failures.add(line + "\n" + why));
            }
        }
        assertThat(failures).isEmpty();
    }

    @Test
    void everyCommandIsDocumented() {
        List<String> commands = Pattern.compile("^ {2}([a-z][a-z-]*) {2,}", Pattern.MULTILINE)
                .matcher(Cli.run("--help").out())
                .results()
                .map(line -> line.group(1))
                .toList();
        assertThat(commands).containsExactlyInAnyOrderElementsOf(SHORTER.keySet());
        assertThat(HOME.resolve("README.md"))
                .content()
                .contains(commands.stream().map(c -> "| `" + c + "` |").toList());
        // A command of which there is no example would not be run by this test.
        assertThat(HOME.resolve("docs/user-guide.md"))
                .content()
                .contains(commands.stream().map(c -> "./whirlwind " + c).toList());
    }

    /** What a document asks a shell to do, line by line. */
    private static List<String> commands(List<String> document) {
        List<String> commands = new ArrayList<>();
        String block = null;
        String begun = "";
        for (String line : document) {
            Matcher fence = FENCE.matcher(line);
            if (fence.lookingAt()) {
                block = block == null ? fence.group(1) : null;
            } else if ("sh".equals(block)) {
                String whole = begun + line;
                if (whole.endsWith("\\")) {
                    begun = whole.substring(0, whole.length() - 1);
                } else {
                    begun = "";
                    if (!whole.isBlank() && !whole.startsWith("#")) {
                        commands.add(whole);
                    }
                }
            } else {
                assertThat(line).as("a command outside a block of sh").doesNotMatch(COMMAND);
            }
        }
        return commands;
    }

    /** Runs a line, and says what went wrong. */
    private static Optional<String> run(String line) throws Exception {
        if (line.equals("./mvnw verify")) {
            // Runs this.
            return Optional.empty();
        }
        Path called = folder.resolve("called");
        Path output = folder.resolve("output");
        int code = new ProcessBuilder("sh", "-c", line)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(output.toFile())
                .start()
                .waitFor();
        if (code != 0) {
            return Optional.of(Files.readString(output));
        }
        if (!Files.exists(called)) {
            return PROGRAMS.contains(line.split(" ", 2)[0])
                    ? Optional.empty()
                    : Optional.of("is no program that this test knows");
        }
        List<String> args = List.of(Files.readString(called).split("\0", 0));
        Files.delete(called);
        if (!SHORTER.containsKey(args.getFirst())) {
            return Optional.of("is no command that this test knows");
        }
        Result result = answer(new Request(shorter(args), Files.readString(folder.resolve("input"))));
        return result.code() == 0 ? Optional.empty() : Optional.of(result.err());
    }

    private static Result answer(Request request) throws IOException {
        requests.println(JsonMapper.shared().writeValueAsString(request));
        return JsonMapper.shared().readValue(answers.readLine(), Result.class);
    }

    private static List<String> shorter(List<String> args) {
        Map<String, String> instead = SHORTER.get(args.getFirst());
        List<String> shorter = new ArrayList<>(args);
        for (int i = 1; i < args.size(); i++) {
            String pair = args.get(i - 1) + " " + args.get(i);
            shorter.set(
                    i,
                    instead.getOrDefault(pair, pair).substring(args.get(i - 1).length() + 1));
        }
        List<String> besides = BESIDES.getOrDefault(args.getFirst(), List.of());
        if (!besides.isEmpty() && !args.contains(besides.getFirst())) {
            shorter.addAll(besides);
        }
        return shorter;
    }

    private static void makeStandIns() throws IOException {
        // What a shell finds instead of the program.
        Path program = Cli.write(standIns.resolve("whirlwind"), """
                #!/bin/sh
                cat >input
                printf '%s\\0' "$@" >called
                """);
        assertThat(program.toFile().setExecutable(true)).isTrue();
        Path golden = Path.of("model/src/test/resources/golden");
        for (String name : List.of("gpt2", "llama")) {
            copy(HOME.resolve(golden).resolve(name), standIns.resolve(golden).resolve(name));
        }
        copy(EXAMPLES, standIns.resolve("examples"));
        MODELS.forEach((name, config) -> {
            Path file = Cli.write(standIns.resolve("my/" + name + ".json"), longer(config));
            Cli.run("init", "--config", file, "--out", standIns.resolve("models/" + name))
                    .succeeds();
        });
        Files.move(standIns.resolve("my/tiny.json"), standIns.resolve("my/config.json"));
        for (String name : List.of("texts", "held-out", "general", "general-texts", "src")) {
            IntStream.range(0, 12).forEach(i -> Cli.write(standIns.resolve(name + "/" + i + ".txt"), text(name, i)));
        }
        FILES.forEach((name, text) -> Cli.write(standIns.resolve(name), text));
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(standIns.resolve("more.jsonl.gz")))) {
            out.write(rows("more").getBytes(StandardCharsets.UTF_8));
        }
    }

    /** Some 2,000 characters, others for every name and number. */
    private static String text(String name, int number) {
        return IntStream.range(0, 60)
                .mapToObj(i -> "Line %d of %s %d: %x.".formatted(i, name, number, (i + 1L) * (number + 7) * 7919))
                .collect(Collectors.joining("\n", "", "\n"));
    }

    private static String rows(String name) {
        return IntStream.range(0, 8)
                .mapToObj(i -> JsonMapper.shared().writeValueAsString(Map.of("text", text(name, i))))
                .collect(Collectors.joining("\n", "", "\n"));
    }

    private static String longer(String config) {
        return config.replace(": 32", ": 2048");
    }

    private static void copy(Path from, Path to) {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Path copy = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(copy);
                } else {
                    Files.copy(file, copy, StandardCopyOption.COPY_ATTRIBUTES);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
