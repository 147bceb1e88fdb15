package dev.whirlwind.training.tasks;

import dev.whirlwind.data.tokenizers.BadText;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Sampler;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.memory.MemoryNeeds;
import dev.whirlwind.training.scoring.PythonText;
import dev.whirlwind.training.scoring.Scores;
import dev.whirlwind.training.scoring.Squad;
import dev.whirlwind.training.scoring.TextMetric;
import dev.whirlwind.training.tasks.Likelihoods.Likelihood;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.ToDoubleBiFunction;

/** A task made ready for one model: prompts as tokens, checked before any weight is loaded. */
public final class TaskRun {
    /** Tokens of a prompt that are read at once. */
    private static final int CHUNK = 64;

    /**
     * How text is generated.
     *
     * @param maxTokens most tokens of an answer
     * @param stop where an answer ends, if that comes; empty for nowhere
     * @param metrics that answers are compared with the references by
     */
    public record Generation(int maxTokens, String stop, List<TextMetric> metrics) {}

    /** Told of how many parts of all are done. */
    public interface Progress {
        void done(int done, int all);
    }

    /**
     * What a model answered, and what it is worth.
     *
     * @param answers by item: the text generated, or the choice taken
     */
    public record Answers(List<String> answers, List<Measure> measures) {}

    private final Task task;
    private final Tokenizer tokenizer;
    private final ModelConfig config;
    private final Generation generation;
    private final List<Request> requests = new ArrayList<>();
    private final List<int[]> prompts = new ArrayList<>();
    private int shortened;

    /** @throws UserException where a prompt is nothing that the model can read */
    public TaskRun(Task task, Tokenizer tokenizer, ModelConfig config, Generation generation) {
        this.task = task;
        this.tokenizer = tokenizer;
        this.config = config;
        this.generation = generation;
        for (Item item : task.items()) {
            if (task.kind() == Kind.GENERATION) {
                prompts.add(prompt(item));
            } else {
                item.choices().forEach(choice -> requests.add(request(item, choice)));
            }
        }
    }

    public Task task() {
        return task;
    }

    /** Items whose beginnings were cut off, as they are longer than the model's positions. */
    public int shortened() {
        return shortened;
    }

    /** Bytes of memory that it takes, with the model. */
    public long bytes() {
        if (task.kind() == Kind.GENERATION) {
            return MemoryNeeds.generation(config, capacity(), Math.min(CHUNK, capacity()));
        }
        int longest = requests.stream().mapToInt(Request::length).max().orElse(1);
        return Likelihoods.bytes(config, longest, task.kind() == Kind.CLOZE);
    }

    /** Puts all items to a model. */
    public Answers of(Engine engine, Parameters weights, Progress progress) {
        if (task.kind() == Kind.GENERATION) {
            return generated(engine, weights, progress);
        }
        List<Likelihood> likelihoods = new Likelihoods(engine, weights, task.kind() == Kind.CLOZE)
                .of(requests, done -> progress.done(done, requests.size()));
        return task.kind() == Kind.CLOZE ? cloze(likelihoods) : chosen(likelihoods);
    }

    // ---------------------------------------------------------------------------------------------- prompts

    private Request request(Item item, String choice) {
        Request request =
                read(item, () -> Request.of(tokenizer, task.examples() + item.context(), item.delimiter() + choice));
        int positions = config.maxPositions();
        if (request.predicted() < 1 || request.tokens().length < 2) {
            throw error(item, "an answer has no tokens of its own; give answers that say something");
        }
        if (request.predicted() > positions) {
            throw error(
                    item,
                    "an answer has " + request.predicted() + " tokens, more than the model's " + positions
                            + " positions; shorten it");
        }
        shortened += request.length() > positions ? 1 : 0;
        return request.within(positions);
    }

    private int[] prompt(Item item) {
        int[] prompt = read(item, () -> Request.prompt(tokenizer, task.examples() + item.context()));
        if (prompt.length == 0 && tokenizer.endOfText().id() >= 0) {
            prompt = new int[] {tokenizer.endOfText().id()};
        }
        int room = config.maxPositions() - generation.maxTokens();
        if (prompt.length == 0 || room < 1) {
            throw error(
                    item,
                    room < 1
                            ? "--max-tokens " + generation.maxTokens() + " leaves no room for prompts in the model's "
                                    + config.maxPositions() + " positions; make it smaller"
                            : "its prompt is empty; give one");
        }
        shortened += prompt.length > room ? 1 : 0;
        return Arrays.copyOfRange(prompt, Math.max(0, prompt.length - room), prompt.length);
    }

    private <T> T read(Item item, Supplier<T> tokens) {
        try {
            return tokens.get();
        } catch (BadText e) {
            throw error(item, e.getMessage() + "; change it");
        }
    }

    private UserException error(Item item, String what) {
        return new UserException(task.file() + ": " + item.place() + ": " + what);
    }

    // ---------------------------------------------------------------------------------------------- answers

    private Answers chosen(List<Likelihood> likelihoods) {
        List<Integer> plain = choices(likelihoods, (likelihood, choice) -> likelihood.sum());
        if (task.kind() == Kind.CLASSIFICATION) {
            return new Answers(texts(plain), classification(plain));
        }
        List<Integer> byCharacter = choices(
                likelihoods, (likelihood, choice) -> likelihood.sum() / choice.codePointCount(0, choice.length()));
        List<Integer> byByte = choices(
                likelihoods, (likelihood, choice) -> likelihood.sum() / choice.getBytes(StandardCharsets.UTF_8).length);
        List<Integer> byToken = choices(likelihoods, (likelihood, choice) -> likelihood.sum() / likelihood.tokens());
        return new Answers(
                texts(plain),
                List.of(
                        Measure.share("acc", right(plain)),
                        Measure.share("acc_norm", right(byCharacter)),
                        Measure.share("acc_bytes", right(byByte)),
                        Measure.share("acc_tokens", right(byToken))));
    }

    /** The choice of each item that scores best, of equals the first. */
    private List<Integer> choices(List<Likelihood> likelihoods, ToDoubleBiFunction<Likelihood, String> score) {
        List<Integer> chosen = new ArrayList<>();
        int next = 0;
        for (Item item : task.items()) {
            int best = 0;
            double most = Double.NEGATIVE_INFINITY;
            for (int i = 0; i < item.choices().size(); i++) {
                double one = score.applyAsDouble(
                        likelihoods.get(next++), item.choices().get(i));
                if (one > most) {
                    most = one;
                    best = i;
                }
            }
            chosen.add(best);
        }
        return chosen;
    }

    private List<Boolean> right(List<Integer> chosen) {
        return byItem(i -> chosen.get(i) == task.items().get(i).gold());
    }

    private List<String> texts(List<Integer> chosen) {
        return byItem(i -> task.items().get(i).choices().get(chosen.get(i)));
    }

    private <T> List<T> byItem(Function<Integer, T> of) {
        List<T> all = new ArrayList<>();
        for (int i = 0; i < task.items().size(); i++) {
            all.add(of.apply(i));
        }
        return all;
    }

    /** Statistics are, label by label, how often it was rightly given, given at all, and right. */
    private List<Measure> classification(List<Integer> chosen) {
        int labels = task.items().getFirst().choices().size();
        List<double[]> statistics = byItem(i -> {
            double[] counts = new double[3 * labels];
            int gold = task.items().get(i).gold();
            counts[3 * gold] = chosen.get(i) == gold ? 1 : 0;
            counts[3 * chosen.get(i) + 1] = 1;
            counts[3 * gold + 2] = 1;
            return counts;
        });
        return List.of(
                Measure.share("acc", right(chosen)),
                new Measure("macro_f1", null, statistics, TaskRun::macroF1, false),
                new Measure("micro_f1", null, statistics, TaskRun::microF1, false));
    }

    /** The mean of the F1 of the labels that are right or given anywhere. */
    private static double macroF1(double[] counts) {
        double sum = 0;
        int labels = 0;
        for (int i = 0; i < counts.length; i += 3) {
            double both = counts[i + 1] + counts[i + 2];
            sum += both == 0 ? 0 : 2 * counts[i] / both;
            labels += both == 0 ? 0 : 1;
        }
        return sum / labels;
    }

    /** The F1 of the counts of all labels together: where each item has one label and gets one, the accuracy. */
    private static double microF1(double[] counts) {
        double right = 0;
        double both = 0;
        for (int i = 0; i < counts.length; i += 3) {
            right += counts[i];
            both += counts[i + 1] + counts[i + 2];
        }
        return 2 * right / both;
    }

    private Answers cloze(List<Likelihood> likelihoods) {
        return new Answers(
                byItem(i -> likelihoods.get(i).greedy()
                        ? task.items().get(i).choices().getFirst()
                        : ""),
                List.of(
                        Measure.share("acc", byItem(i -> likelihoods.get(i).greedy())),
                        new Measure(
                                "perplexity",
                                null,
                                byItem(i -> new double[] {likelihoods.get(i).sum(), 1}),
                                sums -> Math.exp(-sums[0] / sums[1]),
                                false)));
    }

    private int capacity() {
        return prompts.stream().mapToInt(prompt -> prompt.length).max().orElse(1) + generation.maxTokens();
    }

    private Answers generated(Engine engine, Parameters weights, Progress progress) {
        Generator generator = new Generator(engine, weights, capacity(), Math.min(CHUNK, capacity()));
        Set<Integer> ends = tokenizer.endOfText().stops();
        List<String> answers = new ArrayList<>();
        for (int[] prompt : prompts) {
            answers.add(answer(generator, prompt, ends));
            progress.done(answers.size(), prompts.size());
        }
        List<List<String>> references =
                task.items().stream().map(Item::references).toList();
        List<Measure> measures = new ArrayList<>();
        for (TextMetric metric : generation.metrics()) {
            Scores scores = Scores.of(metric, answers, references);
            measures.add(new Measure(
                    metric.label(),
                    scores.signature(),
                    scores.statistics(),
                    metric::score,
                    metric == Squad.EXACT_MATCH));
        }
        return new Answers(answers, measures);
    }

    /** The likeliest text up to where it is to stop, without white space around it. */
    private String answer(Generator generator, int[] prompt, Set<Integer> ends) {
        int[] tokens = new int[generation.maxTokens()];
        AtomicInteger count = new AtomicInteger();
        String stop = generation.stop();
        generator.generate(prompt, tokens.length, Sampler.greedy(), token -> {
            if (ends.contains(token)) {
                return true;
            }
            tokens[count.getAndIncrement()] = token;
            return !stop.isEmpty() && text(tokens, count.get()).contains(stop);
        });
        String text = text(tokens, count.get());
        int end = stop.isEmpty() ? -1 : text.indexOf(stop);
        return PythonText.strip(end < 0 ? text : text.substring(0, end));
    }

    private String text(int[] tokens, int count) {
        return tokenizer.decode(Arrays.copyOf(tokens, count));
    }
}
