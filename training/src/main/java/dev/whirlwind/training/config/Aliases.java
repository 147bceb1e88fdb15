package dev.whirlwind.training.config;

import dev.whirlwind.model.UserException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.BinaryOperator;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import tools.jackson.databind.JsonNode;

/**
 * What others call our options: the names of transformers' TrainingArguments and of run_clm.py. Those that mean one of ours
 * are read as that; to the others there is an answer. docs/from-transformers.md is made of both.
 */
public final class Aliases {
    /**
     * Another name of an option.
     *
     * @param option ours
     * @param remark in what its value is another; null where it is the same
     * @param value ours for theirs, and for ours as it stands
     * @param yields whether a value is what there leaves the matter to another name: these are often written out
     */
    public record Alias(
            String name, String option, String remark, BinaryOperator<Object> value, Predicate<Object> yields) {}

    private static final SequencedMap<String, Alias> ALIASES = new LinkedHashMap<>();
    private static final SequencedMap<String, String> ANSWERS = new LinkedHashMap<>();

    static {
        alias("model_name_or_path", "model");
        alias("output_dir", "out");
        alias("train_file", "data");
        alias("validation_file", "valid");
        alias("validation_split_percentage", "held_out", "in percent", value -> number(value, x -> x / 100));
        alias("num_train_epochs", "epochs");
        alias(
                "max_steps",
                "steps",
                "-1 gives no length",
                (value, _) -> "-1".equals(text(value)) ? null : value,
                value -> "-1".equals(text(value)));
        alias("per_device_train_batch_size", "batch");
        alias("train_batch_size", "batch");
        alias("batch_size", "batch");
        alias("gradient_accumulation_steps", "accumulation");
        alias("block_size", "sequence");
        alias("max_seq_length", "sequence");
        alias("max_length", "sequence");
        alias("learning_rate", "lr");
        alias(
                "lr_scheduler_type",
                "schedule",
                "`warmup_stable_decay` is wsd, `constant_with_warmup` constant, `cosine_with_min_lr` cosine; ours fall to"
                        + " `min_lr`, a tenth of `lr` unless it is given, where transformers' fall to 0",
                value -> switch (text(value)) {
                    case "warmup_stable_decay" -> "wsd";
                    case "constant_with_warmup" -> "constant";
                    case "cosine_with_min_lr" -> "cosine";
                    default -> value;
                });
        alias("warmup_steps", "warmup", "0 beside a warmup_ratio is none", (value, _) -> value, Aliases::isZero);
        alias(
                "warmup_ratio",
                "warmup",
                "below 1; 0 beside warmup_steps is none",
                (value, _) -> {
                    number(value, ratio -> {
                        Range.require(
                                ratio < 1, "warmup_ratio", ratio, "below 1; give warmup_steps the number of steps");
                        return ratio;
                    });
                    return value;
                },
                Aliases::isZero);
        alias(
                "optim",
                "optimizer",
                "`adamw_torch` and its kin are adamw, `lion_32bit` lion, `apollo_adamw` apollo",
                value -> switch (text(value)) {
                    case "adamw_torch", "adamw_torch_fused", "adamw_hf" -> "adamw";
                    case "lion_32bit" -> "lion";
                    case "apollo_adamw" -> "apollo";
                    case "apollo_adamw_layerwise" ->
                        throw new UserException("optim is apollo_adamw_layerwise, which is optimizer: apollo with"
                                + " update_in_backward: true; give these");
                    case "adamw_8bit", "adamw_bnb_8bit", "paged_adamw_8bit", "lion_8bit", "paged_lion_8bit" ->
                        throw new UserException("optim is " + text(value) + ", which is optimizer: "
                                + (text(value).contains("lion") ? "lion" : "adamw")
                                + " with moments: int8; give these");
                    default -> value;
                });
        alias("adam_beta1", "beta1");
        alias("adam_beta2", "beta2");
        alias("adam_epsilon", "eps");
        alias("max_grad_norm", "clip");
        alias("neftune_noise_alpha", "neftune");
        alias("data_seed", "seed");
        alias("eval_steps", "eval_every");
        alias("early_stopping_patience", "patience");
        alias("save_steps", "save_every");
        alias("save_total_limit", "keep");
        alias("gradient_checkpointing", "recompute");
        alias("report_to", "log_to");
        alias("bf16", "precision", "true or false", (value, now) -> precision("bf16", value, now), Aliases::isFalse);
        alias("fp16", "precision", "true or false", (value, now) -> precision("fp16", value, now), Aliases::isFalse);
        alias(
                "eval_batches",
                "eval_windows",
                "an old name of ours, which counts eight of them as one",
                value -> number(value, x -> 8 * x));

        String leave = "; leave it out";
        answer("dataset_name", "nothing is downloaded here: get the files, and name them with data");
        answer("do_train", "train trains and evaluates" + leave);
        answer("do_eval", "train evaluates before, while and after it trains (eval_every)" + leave);
        answer("eval_strategy", "say how often with eval_every, in steps" + leave);
        answer("evaluation_strategy", "say how often with eval_every, in steps" + leave);
        answer("save_strategy", "say how often with save_every, in steps" + leave);
        answer("logging_strategy", "every step is in RUN/metrics.jsonl" + leave);
        answer("logging_steps", "every step is in RUN/metrics.jsonl" + leave);
        answer("logging_dir", "all that is logged is in the folder of the run" + leave);
        answer("per_device_eval_batch_size", "evaluations compute as many sequences at once as batch says" + leave);
        answer("lr_scheduler_kwargs", "give min_lr and decay themselves");
        answer("load_best_model_at_end", "the best model is always kept, in RUN/best" + leave);
        answer(
                "metric_for_best_model",
                "the best model is that of the lowest loss on the held-out text that best_by names");
        answer(
                "overwrite_output_dir",
                "a run begins in a new folder: give another out, or go on with whirlwind resume RUN");
        answer("resume_from_checkpoint", "go on with whirlwind resume RUN");
        answer("dataloader_num_workers", "tokens are read ahead without it" + leave);
        answer("preprocessing_num_workers", "texts are prepared on all cores" + leave);
        answer("dataloader_drop_last", "no sequence is dropped" + leave);
        answer("torch_dtype", "say with weights what they are kept as in memory, with save_dtype in files");
        answer("load_in_4bit", "say weights: nf4");
        answer("load_in_8bit", "say weights: int8");
        answer("quantization_bit", "say weights: nf4 or int8");
        answer("bnb_4bit_quant_type", "say weights: nf4");
        answer("bnb_4bit_use_double_quant", "nf4 has double quantisation always" + leave);
        answer("bnb_4bit_compute_dtype", "weights are computed with as fp32" + leave);
        answer("torch_compile", "kernels are compiled anyway" + leave);
        answer("tf32", "products are fp32" + leave);
        answer("attn_implementation", "there is one attention, which keeps no matrix of scores" + leave);
        answer("push_to_hub", "nothing is uploaded: RUN/final is a Hugging Face folder that you can upload" + leave);
        answer("deepspeed", "a run is one process on one device" + leave);
        answer("fsdp", "a run is one process on one device" + leave);
    }

    private Aliases() {}

    private static void alias(String name, String option) {
        alias(name, option, null, UnaryOperator.identity());
    }

    private static void alias(String name, String option, String remark, UnaryOperator<Object> value) {
        alias(name, option, remark, (given, _) -> value.apply(given), _ -> false);
    }

    private static void alias(
            String name, String option, String remark, BinaryOperator<Object> value, Predicate<Object> yields) {
        ALIASES.put(name, new Alias(name, option, remark, value, yields));
    }

    private static void answer(String name, String sentence) {
        ANSWERS.put(name, sentence);
    }

    /** What is read as one of our options, by name. */
    public static SequencedMap<String, Alias> all() {
        return ALIASES;
    }

    /** What there is to say to a name that none of our options has, by name. */
    public static SequencedMap<String, String> answers() {
        return ANSWERS;
    }

    /** What there is to say to a name, however it is spelt. */
    public static Optional<String> answer(String name) {
        return Optional.ofNullable(ANSWERS.get(name.toLowerCase(Locale.ROOT).replace('-', '_')));
    }

    /** Our name for a name. */
    static String option(String name) {
        return ALIASES.containsKey(name) ? ALIASES.get(name).option() : name;
    }

    /**
     * Our value for the value of a name.
     *
     * @param now ours as it stands
     */
    static Object value(String name, Object value, Object now) {
        return ALIASES.containsKey(name) ? ALIASES.get(name).value().apply(value, now) : value;
    }

    /** Whether the value of a name says nothing where another name of the same option is given. */
    public static boolean yields(String name, Object value) {
        return ALIASES.containsKey(name) && ALIASES.get(name).yields().test(value);
    }

    private static boolean isZero(Object value) {
        return text(value).matches("0+(\\.0*)?");
    }

    private static boolean isFalse(Object value) {
        return text(value).equalsIgnoreCase("false");
    }

    private static String text(Object value) {
        return value instanceof JsonNode node ? node.asString("") : String.valueOf(value);
    }

    /** What is no number stays as it is, for the option itself to refuse. */
    private static Object number(Object value, UnaryOperator<Double> change) {
        try {
            double changed = change.apply(Double.valueOf(text(value)));
            return changed == Math.rint(changed) ? (Object) (long) changed : (Object) changed;
        } catch (NumberFormatException _) {
            return value;
        }
    }

    /** Not to take one of them leaves another. */
    private static Object precision(String name, Object value, Object now) {
        return switch (text(value).toLowerCase(Locale.ROOT)) {
            case "true", "" -> name;
            case "false" -> name.equalsIgnoreCase(String.valueOf(now)) ? "fp32" : now;
            default -> value;
        };
    }

    /** Names elsewhere and here, for suggestions. */
    static Map<String, String> names() {
        Map<String, String> names = new LinkedHashMap<>();
        ALIASES.forEach((name, alias) -> names.put(name, alias.option()));
        return names;
    }
}
