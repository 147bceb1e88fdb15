package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Needs;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.WeightsOption;
import dev.whirlwind.data.tokenizers.BadText;
import dev.whirlwind.data.tokenizers.TextStream;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.Sampler;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.training.config.Range;
import dev.whirlwind.training.memory.MemoryNeeds;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "generate", description = "Continues a text. The text is printed token by token as it is drawn.")
final class GenerateCommand implements Callable<Integer> {
    /** Tokens of a prompt that are read at once. */
    private static final int CHUNK = 64;

    @Spec
    private CommandSpec spec;

    @Option(names = "--model", required = true, paramLabel = "DIR", description = "The model folder.")
    private Path model;

    @Option(names = "--prompt", paramLabel = "TEXT", description = "What to continue. Default: standard input.")
    private String prompt;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "128",
            description = "Most tokens to add; fewer come when the model ends the text or its positions are used up."
                    + " Default: ${DEFAULT-VALUE}.")
    private int maxTokens;

    @Option(
            names = "--temperature",
            paramLabel = "X",
            defaultValue = "0.8",
            description = "What logits are divided by; 0 always takes the likeliest token. Default: ${DEFAULT-VALUE}.")
    private double temperature;

    @Needs(value = "--temperature", noted = true)
    @Option(
            names = "--top-k",
            paramLabel = "N",
            defaultValue = "0",
            description = "Draw from the N likeliest tokens only; 0, the default, for all.")
    private int topK;

    @Needs(value = "--temperature", noted = true)
    @Option(
            names = "--top-p",
            paramLabel = "X",
            defaultValue = "1",
            description =
                    "Draw from the fewest likeliest tokens that have probability X together; 1, the default, for all.")
    private double topP;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1234",
            description = "Seed of the draws: the same seed gives the same text. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Mixin
    private WeightsOption weightsOption;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        Range.ONE_OR_MORE.check("--max-tokens", maxTokens);
        PrintWriter out = spec.commandLine().getOut();
        Sampler sampler = new Sampler(temperature, topK, topP, seed);
        ModelConfig config = ModelFolder.config(model);
        Tokenizer tokenizer = Models.tokenizer(model, config, spec.commandLine().getErr()::println);
        String text = prompt == null ? standardInput() : prompt;
        int length = prompt(tokenizer, config, text).length;
        ModelConfig stored = ModelFolder.check(model, config);
        engines.memory().requireGeneration("max_tokens", maxTokens, tokens -> {
            int capacity = capacity(config, length, tokens);
            return MemoryNeeds.generation(stored, capacity, chunk(capacity), weightsOption.format());
        });
        try (Engine engine = engines.open()) {
            Parameters weights =
                    weightsOption.load(engine, model, config, spec.commandLine().getErr());
            engines.announce(engine, spec.commandLine().getErr());
            StringBuilder continuation = new StringBuilder();
            long start = System.nanoTime();
            int[] tokens = generate(engine, weights, tokenizer, text, maxTokens, sampler, part -> {
                continuation.append(part);
                if (!output.isJson()) {
                    out.print(part);
                    out.flush();
                }
            });
            if (output.isJson()) {
                Map<String, Object> result = new LinkedHashMap<>();
                result.put("model", model.toString());
                result.put("prompt", text);
                int last = tokens[tokens.length - 1];
                boolean ended = tokenizer.endOfText().stops().contains(last);
                // As transformers decodes it: the token that ends the text is a part of it.
                result.put("text", continuation + (ended ? tokenizer.decode(new int[] {last}) : ""));
                result.put("tokens", tokens.length);
                result.put("ids", tokens);
                result.put("ended", ended);
                result.put("tokens_per_second", tokens.length / ((System.nanoTime() - start) * 1e-9));
                out.println(Output.json(result));
            } else {
                out.println();
            }
        }
        return 0;
    }

    /**
     * Continues a text, and gives the tokens added, among them the one that ends the text where one does.
     *
     * @param out told of the text as it comes
     */
    static int[] generate(
            Engine engine,
            Parameters weights,
            Tokenizer tokenizer,
            String text,
            int maxTokens,
            Sampler sampler,
            Consumer<String> out) {
        int[] prompt = prompt(tokenizer, weights.config(), text);
        int capacity = capacity(weights.config(), prompt.length, maxTokens);
        Generator generator = new Generator(engine, weights, capacity, chunk(capacity));
        TextStream stream = new TextStream(tokenizer, prompt, out);
        Set<Integer> stops = tokenizer.endOfText().stops();
        int[] tokens = generator.generate(prompt, maxTokens, sampler, stops, token -> {
            if (!stops.contains(token)) {
                stream.add(token);
            }
        });
        stream.end();
        return tokens;
    }

    private static int capacity(ModelConfig config, int prompt, int maxTokens) {
        return (int) Math.min(config.longestText(), (long) prompt + maxTokens);
    }

    private static int chunk(int capacity) {
        return Math.min(CHUNK, capacity);
    }

    /** A text's tokens, at least one, with room for more after them. */
    private static int[] prompt(Tokenizer tokenizer, ModelConfig config, String text) {
        int[] prompt;
        try {
            prompt = tokenizer.encodePrompt(text);
        } catch (BadText e) {
            throw new UserException("the prompt: " + e.getMessage() + "; change it", e);
        }
        if (prompt.length == 0 && tokenizer.endOfText().id() >= 0) {
            // A document begins where another has ended.
            return new int[] {tokenizer.endOfText().id()};
        }
        if (prompt.length >= config.longestText()) {
            throw new UserException("the prompt has " + prompt.length + " tokens, which leaves no room in the model's "
                    + config.longestText() + " positions; shorten it");
        }
        return prompt;
    }

    private static String standardInput() {
        try {
            return new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UserException("standard input: cannot be read (" + Reason.of(e) + "); give --prompt", e);
        }
    }
}
