package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.Engines;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.PlanOption;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.Initializer;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.safetensors.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

@Command(name = "init", description = "Makes a fresh checkpoint with random weights from a preset or a config.json.")
final class InitCommand implements Callable<Integer> {
    static final long LARGEST_SHARD = 5_000_000_000L;

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--config",
            required = true,
            paramLabel = "PRESET|FILE",
            description = "The preset gpt2, llama-15m or byte-tiny, or a config.json of Hugging Face's form.")
    private String config;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "The new model folder.")
    private Path out;

    @Option(
            names = "--tokenizer",
            paramLabel = "DIR",
            description =
                    "A folder whose tokenizer the model gets; a preset gets its vocabulary, too. Models of 256 tokens get the"
                            + " built-in byte tokenizer.")
    private Path tokenizer;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1234",
            description = "Seed of the random weights. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "F32",
            description = "Type of the saved weights: F32, BF16, F16 or F64. Default: ${DEFAULT-VALUE}.")
    private DType dtype;

    @Mixin
    private PlanOption plan;

    @Override
    public Integer call() {
        Models.requireEmpty(out);
        if (!dtype.convertible()) {
            throw new UsageException("--dtype " + dtype + " cannot hold weights; choose F32, BF16, F16 or F64");
        }
        ModelConfig model = ModelConfig.PRESETS.contains(config)
                ? ModelConfig.preset(config)
                : ModelConfig.readFile(requireFile(config));
        if (tokenizer != null) {
            model = fitted(model);
        }
        plan.memory().requireWeights(model, format(dtype));
        long parameters = write(out, model, tokenizer(model), seed, dtype);
        spec.commandLine()
                .getOut()
                .printf("%s: %s, %,d parameters%n", out, model.architecture().modelType(), parameters);
        return 0;
    }

    private static Path requireFile(String config) {
        Path file = Path.of(config);
        if (!Files.isRegularFile(file)) {
            throw new UserException("--config " + config + ": neither a file nor one of the presets "
                    + String.join(", ", ModelConfig.PRESETS));
        }
        return file;
    }

    /**
     * With the tokenizer's own begin and end of text, which other ids would be misread as, and a preset with its vocabulary:
     * a preset names those of the model that it is like.
     */
    private ModelConfig fitted(ModelConfig model) {
        Tokenizer own = Tokenizer.load(tokenizer);
        ObjectNode json = model.json().deepCopy();
        if (ModelConfig.PRESETS.contains(config)) {
            json.put("vocab_size", own.vocabularySize());
        }
        int end = own.endOfText().id();
        if (end >= 0 && end != model.eosToken()) {
            json.put("eos_token_id", end).put("bos_token_id", own.before().length > 0 ? own.before()[0] : end);
        }
        List<String> changed = json.properties().stream()
                .filter(field -> !field.getValue().equals(model.json().path(field.getKey())))
                .map(field -> field.getKey() + " " + field.getValue())
                .toList();
        if (changed.isEmpty()) {
            return model;
        }
        spec.commandLine().getErr().println("by the tokenizer in " + tokenizer + ": " + String.join(", ", changed));
        return ModelConfig.parse(JsonMapper.shared().writeValueAsBytes(json), config);
    }

    private Optional<Tokenizer> tokenizer(ModelConfig model) {
        if (tokenizer != null) {
            return Optional.of(
                    Models.tokenizer(tokenizer, model, spec.commandLine().getErr()::println));
        }
        return model.vocabularySize() == 256 ? Optional.of(new ByteTokenizer()) : Optional.empty();
    }

    /** Half of the memory where the weights are rounded anyway. */
    private static WeightFormat format(DType dtype) {
        return dtype == DType.BF16 ? WeightFormat.BF16 : WeightFormat.FP32;
    }

    /** Writes a fresh model folder and gives its number of parameters. */
    static long write(Path folder, ModelConfig model, Optional<Tokenizer> tokenizer, long seed, DType dtype) {
        try (Engine engine = Engines.open("cpu", null, 1, Precision.FP32)) {
            Parameters weights = new Parameters(engine, new ParameterLayout(model), "weights", format(dtype));
            Initializer.initialize(weights, seed);
            Storage.createFolders(folder);
            HuggingFace.save(folder, weights, dtype, LARGEST_SHARD);
            tokenizer.ifPresent(present -> present.save(folder));
            Storage.sync(folder);
            return weights.layout().parameterCount();
        } catch (UserException e) {
            // The folder was empty; a part of a model in it would pass for one.
            Models.delete(folder);
            throw e;
        } catch (IOException e) {
            throw new UserException(folder + ": cannot be written (" + Reason.of(e) + "); choose another --out", e);
        }
    }
}
