package dev.whirlwind.cli.shared;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.WeightFormat;
import dev.whirlwind.model.adapters.ModelFolder;
import java.io.PrintWriter;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** What commands that only read a model are asked of its memory. */
public final class WeightsOption {
    @Option(
            names = "--weights",
            paramLabel = "FORMAT",
            defaultValue = "fp32",
            description =
                    "What weights of matrices are kept as: fp32, bf16, int8 or nf4 (4 bits; embeddings and the head"
                            + " bf16 with both). Default: ${DEFAULT-VALUE}.")
    private WeightFormat format;

    public WeightFormat format() {
        return format;
    }

    /** A folder's weights in the engine's memory. */
    public Parameters load(Engine engine, Path folder, ModelConfig config, PrintWriter err) {
        return ModelFolder.load(engine, folder, config, format, err::println).weights();
    }
}
