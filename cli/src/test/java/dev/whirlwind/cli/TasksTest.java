package dev.whirlwind.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code eval --task} and {@code --stride} against what transformers computes in double precision with the formulas of
 * lm-evaluation-harness, sacreBLEU and SQuAD's scripts, for a small model of bytes (resources/tasks).
 */
class TasksTest {
    private static Path folder;
    private static JsonNode expected;

    @TempDir
    Path temp;

    @BeforeAll
    static void resources() throws URISyntaxException, IOException {
        folder = Path.of(TasksTest.class.getResource("/tasks/expected.json").toURI())
                .getParent();
        expected = JsonMapper.shared().readTree(Files.readString(folder.resolve("expected.json")));
    }

    private static Cli.Result eval(Object... more) {
        Object[] args = new Object[3 + more.length];
        System.arraycopy(new Object[] {"eval", "--model", folder.resolve("model")}, 0, args, 0, 3);
        System.arraycopy(more, 0, args, 3, more.length);
        return Cli.run(args);
    }

    private static void check(JsonNode found, JsonNode wanted) {
        wanted.propertyStream().forEach(metric -> {
            JsonNode row = found.valueStream()
                    .filter(one -> one.get("metric").asString().equals(metric.getKey()))
                    .findFirst()
                    .orElseThrow();
            double value = metric.getValue().asDouble();
            assertThat(row.get("score").asDouble())
                    .as(metric.getKey())
                    .isCloseTo(value, within(1e-5 * Math.max(1, value)));
            assertThat(row.get("low").asDouble())
                    .isLessThanOrEqualTo(row.get("score").asDouble());
            assertThat(row.get("high").asDouble())
                    .isGreaterThanOrEqualTo(row.get("score").asDouble());
        });
    }

    @ParameterizedTest
    @CsvSource({
        "hellaswag, hellaswag.jsonl, 24",
        "arc, arc.jsonl, 20",
        "piqa, piqa.jsonl, 16",
        "choice, choice.jsonl, 15",
        "lambada, lambada.jsonl, 20",
        "classification, classes.jsonl, 24",
        "generation, generation.jsonl, 6",
        "squad, squad.json, 6"
    })
    void tasksOfEveryForm(String form, String file, int count) {
        Cli.Result told = eval("--task", form + "=" + folder.resolve(file), "--max-tokens", 24, "--json")
                .succeeds();
        JsonNode tasks = told.json().get("tasks");
        assertThat(tasks).allSatisfy(row -> {
            assertThat(row.get("task").asString()).isEqualTo(form);
            assertThat(row.get("count").asInt()).isEqualTo(count);
        });
        check(tasks, expected.get(form));
        // What a form is can be seen by its fields.
        Cli.Result seen = eval("--task", folder.resolve(file), "--max-tokens", 24, "--json")
                .succeeds();
        assertThat(seen.out()).isEqualTo(told.out());
        assertThat(seen.err()).contains(file + ": read as " + form);
    }

    @Test
    void examplesComeBeforeEachQuestion() {
        Cli.Result result = eval(
                        "--task",
                        "choice=" + folder.resolve("choice.jsonl"),
                        "--few-shot",
                        folder.resolve("shots.jsonl"),
                        "--json")
                .succeeds();
        check(result.json().get("tasks"), expected.get("choice_few_shot"));
    }

    @ParameterizedTest
    @CsvSource({"64, 16", "64, 64", "192, 50", "32, 31"})
    void perplexityWithAStrideIsThatOfTransformersRecipe(int window, int stride) {
        JsonNode result = eval("--data", folder.resolve("text.txt"), "--sequence", window, "--stride", stride, "--json")
                .succeeds()
                .json()
                .get("results")
                .get(0);
        double perplexity = expected.get("stride").get(window + "/" + stride).asDouble();
        assertThat(result.get("perplexity").asDouble()).isCloseTo(perplexity, within(1e-5 * perplexity));
    }

    @Test
    void aLastWindowOfOneTokenSaysNothing() {
        String text = "the cat sat on a mat and saw a dog";
        assertThat(strided(text.substring(0, 33))).isEqualTo(strided(text.substring(0, 32)));
    }

    private double strided(String text) {
        Path file = Cli.write(temp.resolve("text.txt"), text);
        JsonNode result = eval("--data", file, "--sequence", 16, "--stride", 16, "--json")
                .succeeds()
                .json()
                .get("results")
                .get(0);
        return result.get("perplexity").doubleValue();
    }

    @Test
    void predictionsThatCannotBeWrittenAreToldFirst() {
        eval(
                        "--task",
                        "arc=" + folder.resolve("arc.jsonl"),
                        "--engine",
                        "cpu",
                        "--predictions",
                        temp.resolve("no/file.jsonl"))
                .fails("no/file.jsonl", "cannot be written", "--predictions");
    }

    @Test
    void otherNamesOfFieldsTemplatesAndPlainText() {
        Path rows = Cli.write(temp.resolve("rows.jsonl"), """
                [{"q": {"text": "the cat"}, "options": ["sat", "ran"], "right": "1"},
                 {"q": {"text": "a dog"}, "options": ["ate", "saw"], "right": "ate"}]
                """);
        JsonNode renamed = eval(
                        "--task",
                        "choice=" + rows,
                        "--field",
                        "context=q.text",
                        "--field",
                        "choices=options",
                        "--field",
                        "label=right",
                        "--template",
                        "{q.text}:\\n",
                        "--delimiter",
                        "",
                        "--json")
                .succeeds()
                .json();
        assertThat(renamed.get("tasks")).hasSize(4);
        Path plain = Cli.write(temp.resolve("plain.txt"), "the cat sat\n\na dog ate\n");
        assertThat(eval("--task", "lambada=" + plain, "--json")
                        .succeeds()
                        .json()
                        .get("tasks")
                        .get(0)
                        .get("count")
                        .asInt())
                .isEqualTo(2);
    }

    @Test
    void modelsAreComparedQuestionByQuestion() {
        Path predictions = temp.resolve("predictions.jsonl");
        JsonNode report = Cli.run(
                        "eval",
                        "--before",
                        folder.resolve("model"),
                        "--after",
                        folder.resolve("model"),
                        "--task",
                        folder.resolve("arc.jsonl"),
                        folder.resolve("piqa.jsonl"),
                        "--limit",
                        10,
                        "--predictions",
                        predictions,
                        "--json")
                .succeeds()
                .json();
        assertThat(report.get("tasks")).hasSize(16);
        assertThat(report.get("task_comparisons")).hasSize(8).allSatisfy(row -> {
            assertThat(row.get("difference").asDouble()).isZero();
            assertThat(row.get("p_value").asDouble()).isEqualTo(1);
            assertThat(row.get("count").asInt()).isEqualTo(10);
        });
        assertThat(predictions).content().hasLineCount(40);
    }

    @Test
    void printsATable() {
        assertThat(eval("--task", folder.resolve("arc.jsonl")).succeeds().out())
                .contains("acc_norm", "95 % interval", "arc");
    }

    @Test
    void aFileOfAnotherForm() {
        Path arc = folder.resolve("arc.jsonl");
        eval("--task", "hellaswag=" + arc)
                .fails("arc.jsonl: line 1: has no \"ctx_a\"", "hellaswag needs", "question", "--task arc=" + arc);
        Path rows = Cli.write(temp.resolve("rows.jsonl"), """
                {"prompt": "a", "references": "b"}
                {"prompt": "a"}
                """);
        eval("--task", "generation=" + rows).fails("rows.jsonl: line 2: has no \"references\"", "--field references=");
        Path other = Cli.write(temp.resolve("other.jsonl"), "{\"title\": \"x\"}\n");
        eval("--task", other).fails("other.jsonl: line 1", "title", "hellaswag (ctx_a");
        eval("--task", Cli.write(temp.resolve("empty.jsonl"), "")).fails("empty.jsonl", "is empty");
        eval("--task", Cli.write(temp.resolve("bad.jsonl"), "{\"a\": 1}\n{\"a\""))
                .fails("bad.jsonl", "line 2");
        eval("--task", Cli.write(temp.resolve("list.jsonl"), "{\"text\": \"a b\"}\n5\n"))
                .fails("list.jsonl: line 2");
        eval("--task", temp.resolve("missing.jsonl")).fails("missing.jsonl", "no such file");
        List<String> labels = List.of("4", "\"x\"", "-1", "null", "[]");
        for (String label : labels) {
            Path wrong = Cli.write(
                    temp.resolve("wrong.jsonl"),
                    "{\"goal\": \"a\", \"sol1\": \"b\", \"sol2\": \"c\", \"label\": " + label + "}");
            eval("--task", "piqa=" + wrong).fails("wrong.jsonl: line 1", "\"label\"");
        }
        Path references = Cli.write(temp.resolve("none.jsonl"), "{\"prompt\": \"a\", \"references\": []}\n");
        eval("--task", references).fails("none.jsonl: line 1", "\"references\" is empty");
        Path one = Cli.write(temp.resolve("one.jsonl"), "{\"text\": \"a\", \"label\": \"x\"}\n");
        eval("--task", one).fails("one.jsonl", "one label only", "--labels");
        eval("--task", one, "--labels", "y,z").fails("one.jsonl: line 1", "label x", "--labels");
    }

    /** What editors and other programs leave in files is no text of the task, and what a file is named is believed. */
    @Test
    void marksLineEndsAndNamesOfFiles() throws IOException {
        String hellaswag = Files.readString(folder.resolve("hellaswag.jsonl"));
        Path marked = Cli.write(temp.resolve("marked.jsonl"), "\ufeff" + hellaswag.replace("\n", "\r\n"));
        Cli.Result result = eval("--task", marked, "--json").succeeds();
        check(result.json().get("tasks"), expected.get("hellaswag"));
        String text = "[one] two\n three {four} five\n";
        String plain = eval("--task", Cli.write(temp.resolve("plain.txt"), text), "--json")
                .succeeds()
                .out();
        String withMark = eval("--task", Cli.write(temp.resolve("plain.txt"), "\ufeff" + text), "--json")
                .succeeds()
                .out();
        assertThat(withMark).isEqualTo(plain);
        eval("--task", Cli.write(temp.resolve("words.jsonl"), "one two\n")).fails("words.jsonl", "not valid JSON");
        Path latin = Files.write(temp.resolve("latin.txt"), new byte[] {'a', ' ', (byte) 0xE9, '\n'});
        eval("--task", latin).fails("latin.txt", "not UTF-8");
        eval("--task", Cli.write(temp.resolve("nan.jsonl"), "{\"text\": \"a b\", \"x\": NaN}\n"))
                .succeeds();
    }

    /** What is not there is not taken for an empty text. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "arc|{'question':'q','answerKey':'A','choices':{'text':['a',null],'label':['A','B']}}|choices.text",
                "arc|{'question':'q','answerKey':'A','choices':{'text':['a'],'label':['A','B']}}|A, B with 1 text",
                "arc|{'question':'q','answerKey':'A','choices':['a','b']}|the choices are a, b",
                "arc|{'question':{'stem':'q','choices':[{'txt':'a','label':'A'}]},'answerKey':'A'}|choices.text",
                "squad|{'context':'c','question':'q','answers':[{'answer_start':1}]}|answers.text",
                "squad|{'context':'c','question':'q','answers':{'answer_start':[1]}}|answers.text",
                "choice|{'context':'c','choices':[],'label':0}|'choices' is empty",
            })
    void partsOfRowsThatAreMissing(String form, String row, String says) {
        Path file = Cli.write(temp.resolve("rows.jsonl"), row.replace('\'', '"'));
        eval("--task", form + "=" + file).fails("rows.jsonl: line 1", says.replace('\'', '"'));
    }

    /** The forms that answers come in: a string, strings, objects, an object of arrays. */
    @ParameterizedTest
    @ValueSource(strings = {"\"x\"", "[\"x\"]", "[{\"text\":\"x\"}]", "{\"text\":[\"x\"]}", "{\"text\":\"x\"}"})
    void answersOfQuestions(String answers) throws IOException {
        Path file = Cli.write(
                temp.resolve("rows.jsonl"), "{\"context\":\"c\",\"question\":\"q\",\"answers\":" + answers + "}");
        Path predictions = temp.resolve("predictions.jsonl");
        eval("--task", file, "--max-tokens", 2, "--predictions", predictions).succeeds();
        assertThat(predictions).content().contains("[\"x\"]");
    }

    @Test
    void usage() {
        Path arc = folder.resolve("arc.jsonl");
        eval("--task", "arcs=" + arc).isWrongUsage("arcs", "did you mean arc?");
        eval("--task", "").isWrongUsage("--task", "empty");
        eval("--task", "arc=").isWrongUsage("--task arc=", "empty");
        eval("--task", arc, "--shots", 2).isWrongUsage("--shots only", "--few-shot");
        eval("--task", arc, "--metric", "blue").isWrongUsage("blue", "bleu");
        eval().isWrongUsage("--data", "--task", "--memorised");
        eval("--predictions", "x", "--data", folder.resolve("text.txt")).isWrongUsage("--predictions", "--task");
        eval("--data", folder.resolve("text.txt"), "--stride", 0).isWrongUsage("--stride");
        eval("--data", folder.resolve("text.txt"), "--sequence", 16, "--stride", 17)
                .isWrongUsage("--stride 17", "16");
        Cli.run("eval", "--data", folder.resolve("text.txt")).isWrongUsage("--model", "--before");
        Cli.run("eval", "--before", folder.resolve("model"), "--data", folder.resolve("text.txt"))
                .isWrongUsage("--after");
        eval("--task", folder.resolve("generation.jsonl"), "--max-tokens", 192).fails("--max-tokens 192", "positions");
    }
}
