package dev.whirlwind.training.config;

import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.adapters.AdapterConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A low-rank adapter that is trained in the model's place (LoRA, arXiv 2106.09685). */
public record AdapterOptions(
        @Option(
                label = "RANK",
                range = Range.POSITIVE,
                help = "Train a low-rank adapter of this rank (LoRA) and not the model; what is saved is read by PEFT.")
        Integer lora,

        @Option(
                label = "X",
                range = Range.POSITIVE_FLOAT,
                help = "The adapter counts by this over its rank. Default: twice the rank.")
        Double loraAlpha,

        @Option(
                value = "0",
                label = "P",
                range = Range.FLOAT_FRACTION,
                help = "Dropout probability of what adapters see.")
        double loraDropout,

        @Option(
                label = "NAME",
                help =
                        "Modules with an adapter, such as q_proj, or a regular expression of whole names; may be given several"
                                + " times. Default: all linear layers of the blocks.")
        List<String> loraTarget,

        @Option(
                label = "NAME",
                help =
                        "Modules that are trained as a whole beside adapters, such as embed_tokens; may be given several times.")
        List<String> loraSave,

        @Option(value = "false", help = "The adapter counts by alpha over the root of the rank (rsLoRA).")
        boolean rslora,

        @Option(value = "false", help = "Learn the norms of the weights' rows apart from their directions (DoRA).")
        boolean dora,

        @Option(
                value = "1",
                range = Range.ONE_OR_MORE,
                help = "How much faster the adapter's B learns than its A (LoRA+); 16 is usual.")
        double loraPlus) {

    public AdapterOptions {
        if (lora == null) {
            Range.require(loraAlpha == null, "lora_alpha", loraAlpha, "left out where there is no lora");
            Range.require(loraTarget.isEmpty(), "lora_target", loraTarget, "left out where there is no lora");
            Range.require(loraSave.isEmpty(), "lora_save", loraSave, "left out where there is no lora");
            Range.require(loraDropout == 0, "lora_dropout", loraDropout, "left out where there is no lora");
            Range.require(!rslora, "rslora", true, "left out where there is no lora");
            Range.require(!dora, "dora", true, "left out where there is no lora");
        }
    }

    /**
     * A new adapter; empty where none is asked for.
     *
     * @param base the base model's folder
     */
    public Optional<AdapterConfig> create(Path base, ModelConfig model) {
        if (lora == null) {
            return Optional.empty();
        }
        double alpha = loraAlpha == null ? 2.0 * lora : loraAlpha;
        String folder = base.toAbsolutePath().normalize().toString();
        return Optional.of(
                AdapterConfig.create(folder, model, lora, alpha, loraDropout, loraTarget, loraSave, rslora, dora));
    }
}
