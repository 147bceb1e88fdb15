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
                needs = "lora",
                label = "X",
                range = Range.POSITIVE_FLOAT,
                help = "The adapter counts by this over its rank. Default: twice the rank.")
        Double loraAlpha,

        @Option(
                needs = "lora",
                value = "0",
                label = "P",
                range = Range.FLOAT_FRACTION,
                help = "Dropout probability of what adapters see.")
        double loraDropout,

        @Option(
                needs = "lora",
                label = "NAME",
                help =
                        "Modules with an adapter, such as q_proj, or a regular expression of whole names; may be given several"
                                + " times. Default: all linear layers of the blocks.")
        List<String> loraTarget,

        @Option(
                needs = "lora",
                label = "NAME",
                help =
                        "Modules that are trained as a whole beside adapters, such as embed_tokens; may be given several times.")
        List<String> loraSave,

        @Option(
                needs = "lora",
                value = "false",
                help = "The adapter counts by alpha over the root of the rank (rsLoRA).")
        boolean rslora,

        @Option(
                needs = "lora",
                value = "false",
                help = "Learn the norms of the weights' rows apart from their directions (DoRA).")
        boolean dora,

        @Option(
                needs = "lora",
                value = "uniform",
                help =
                        "What adapters begin as: uniform, which changes nothing yet, or pissa, the principal part of the"
                                + " weights, which then is trained (PiSSA); what is saved is for the whole weights, of twice the rank.")
        Init loraInit,

        @Option(
                needs = "lora",
                label = "N",
                range = Range.POSITIVE,
                help =
                        "Every N steps the adapter becomes part of the model and another one begins (ReLoRA), so that the whole"
                                + " run's change is of a higher rank; what is saved is a whole model.")
        Integer loraRestartEvery,

        @Option(
                needs = "lora_restart_every",
                label = "N",
                range = Range.NOT_NEGATIVE,
                help =
                        "Steps over which the learning rate rises again after such a restart. Default: a tenth of those between.")
        Integer loraRestartWarmup,

        @Option(
                value = "1",
                range = Range.ONE_OR_MORE,
                help = "How much faster the adapter's B learns than its A (LoRA+); 16 is usual.")
        double loraPlus) {

    /** What adapters begin as. */
    public enum Init {
        UNIFORM,
        PISSA
    }

    /** Whether adapters become part of the model in the run (ReLoRA, arXiv 2307.05695). */
    public boolean restarts() {
        return loraRestartEvery != null;
    }

    /** Whether one does after this many steps. */
    public boolean restartsAfter(long steps) {
        return restarts() && steps % loraRestartEvery == 0;
    }

    /** What the learning rate of step {@code s}, from 0, is multiplied by: it rises again after a restart. */
    public double rewarming(long s) {
        if (!restarts() || s < loraRestartEvery) {
            return 1;
        }
        int warmup = loraRestartWarmup == null ? loraRestartEvery / 10 : loraRestartWarmup;
        return Math.min(1, (s % loraRestartEvery + 1.0) / Math.max(1, warmup));
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
        return Optional.of(AdapterConfig.create(
                folder, model, lora, alpha, loraDropout, loraTarget, loraSave, rslora, dora, loraInit == Init.PISSA));
    }
}
