package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.terminal.Interruption;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.AdapterMerge;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.HuggingFace;
import dev.whirlwind.model.HuggingFace.Loaded;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.adapters.AdapterConfig;
import dev.whirlwind.model.adapters.AdapterFiles;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.training.memory.MemoryNeeds;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "export",
        description = {
            "Writes a model or an adapter anew, in another type.",
            "With --merge an adapter becomes part of its base model, which then is a model like any other."
        })
final class ExportCommand implements Callable<Integer> {
    private static final String GENERATION = "generation_config.json";

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--model",
            required = true,
            paramLabel = "DIR",
            description = "The folder of a model or an adapter.")
    private Path model;

    @Option(names = "--merge", description = "Make an adapter part of its model.")
    private boolean merge;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "The new folder.")
    private Path out;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            description = "Type of the saved weights: F32, BF16, F16 or F64. Default: the model's.")
    private DType dtype;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        if (dtype != null && !dtype.convertible()) {
            throw new UsageException("--dtype " + dtype + " cannot hold weights; choose F32, BF16, F16 or F64");
        }
        boolean isAdapter = ModelFolder.isAdapter(model);
        if (merge && !isAdapter) {
            throw new UserException(
                    model + ": is no adapter, so that there is nothing to merge; give --model a folder with "
                            + AdapterConfig.NAME);
        }
        Models.requireEmpty(out);
        PrintWriter err = spec.commandLine().getErr();
        ModelConfig config = ModelFolder.config(model);
        // What is saved with 16 bits, and was, needs no more in memory.
        boolean half = (dtype == null || dtype == DType.BF16)
                && !(isAdapter && AdapterConfig.read(model).isPrincipal())
                && HuggingFace.dtype(ModelFolder.base(model), config) == DType.BF16;
        WeightFormat format = half ? WeightFormat.BF16 : WeightFormat.FP32;
        engines.memory().requireTask("export", MemoryNeeds.weights(ModelFolder.check(model, config), format));
        boolean hasTokenizer = Tokenizer.isIn(model) || Tokenizer.isIn(ModelFolder.base(model));
        Optional<Tokenizer> tokenizer =
                hasTokenizer ? Optional.of(Models.tokenizer(model, config, err::println)) : Optional.empty();
        DType type;
        try (Interruption _ = Interruption.ending(err, "interrupted; what is in " + out + " is no whole model");
                Engine engine = engines.open()) {
            Loaded loaded = ModelFolder.load(engine, model, config, format, _ -> _ -> merge, err::println);
            type = dtype == null ? loaded.dtype() : dtype;
            if (merge) {
                AdapterMerge.merge(engine, loaded.weights());
            }
            write(loaded, isAdapter && !merge, type, tokenizer);
        }
        PrintWriter to = spec.commandLine().getOut();
        if (output.isJson()) {
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("out", out.toString());
            result.put("merged", merge);
            result.put("dtype", type);
            to.println(Output.json(result));
        } else {
            to.println(out);
        }
        return 0;
    }

    private void write(Loaded loaded, boolean adapterAlone, DType type, Optional<Tokenizer> tokenizer) {
        try {
            Storage.createFolders(out);
            if (adapterAlone) {
                AdapterFiles.save(out, AdapterConfig.read(model), loaded.weights(), type);
            } else {
                HuggingFace.save(out, loaded.weights(), type, InitCommand.LARGEST_SHARD);
            }
            tokenizer.ifPresent(present -> present.save(out));
            Path generation = ModelFolder.base(model).resolve(GENERATION);
            if (Files.exists(generation)) {
                Storage.write(out.resolve(GENERATION), WholeFile.read(generation, WholeFile.SETTINGS));
            }
            Storage.sync(out);
        } catch (UserException e) {
            // The folder was empty; a part of a model in it would pass for one.
            Models.delete(out);
            throw e;
        } catch (IOException e) {
            throw new UserException(out + ": cannot be written (" + Reason.of(e) + "); choose another --out", e);
        }
    }
}
