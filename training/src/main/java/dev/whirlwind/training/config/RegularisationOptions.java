package dev.whirlwind.training.config;

import dev.whirlwind.model.Objective;
import java.util.List;

/** What keeps a model from learning its texts by heart, and from forgetting what it knew. */
public record RegularisationOptions(
        @Option(label = "P", range = Range.FLOAT_FRACTION, help = "Dropout probability. Default: the model's own.")
        Double dropout,

        @Option(
                value = "0",
                range = Range.BELOW_THOUSAND,
                help =
                        "NEFTune: noise on the embeddings, uniform up to this / sqrt(sequence * hidden size); 5 is usual.")
        double neftune,

        @Option(
                value = "0",
                range = Range.BELOW_TEN,
                help = "Pull towards the starting weights: lr times this of the difference is taken back at each step.")
        double anchor,

        @Option(
                label = "FILE",
                range = Range.PATH,
                help =
                        "What whirlwind fisher has made of general text: weights that matter to it are pulled more towards the"
                                + " starting weights (elastic weight consolidation).")
        String ewc,

        @Option(
                needs = "ewc",
                label = "X",
                range = Range.POSITIVE_FLOAT,
                help = "Weight of that pull: the higher, the less is forgotten, and learnt. Default: 1000.")
        Double ewcWeight,

        @Option(
                value = "0",
                range = Range.FLOAT_FRACTION,
                help = "Part of each target that all tokens share, as PyTorch's cross-entropy has it.")
        double labelSmoothing,

        @Option(
                value = "0",
                range = Range.BELOW_TEN,
                help = "Weight of the squared logarithm of the softmax's sum, which keeps logits small; 1e-4 is usual.")
        double zLoss,

        @Option(
                label = "DIR",
                range = Range.PATH,
                help = "A model of the same vocabulary whose probabilities are learnt beside the text, such as the one"
                        + " that the run starts from, against forgetting.")
        String teacher,

        @Option(
                label = "DIR",
                range = Range.PATH,
                help =
                        "Instead of a teacher, what whirlwind teach has kept of one for --data, and for --replay where there is"
                                + " any, at the same --sequence and --temperature.")
        List<String> teacherCache,

        @Option(
                needs = {"teacher", "teacher_cache"},
                range = Range.SHARE,
                help = "Weight of the teacher's probabilities; the text has the rest. Default: 0.3.")
        Double distill,

        @Option(
                needs = {"teacher", "teacher_cache"},
                value = "2",
                range = Range.TEMPERATURE,
                help = "What logits are divided by where the teacher's probabilities are compared.")
        double temperature) {

    private static final double DISTILL = 0.3;
    private static final double EWC_WEIGHT = 1000;

    public RegularisationOptions {
        Range.require(
                teacher == null || teacherCache.isEmpty(),
                "teacher_cache",
                teacherCache,
                "left out where there is a teacher");
    }

    /** Weight of the pull by importance. */
    public double elasticity() {
        return ewcWeight == null ? EWC_WEIGHT : ewcWeight;
    }

    /** What a step trains for. */
    public Objective objective() {
        double taught = teacher == null && teacherCache.isEmpty() ? 0 : distill == null ? DISTILL : distill;
        return new Objective((float) labelSmoothing, (float) zLoss, (float) taught, (float) temperature);
    }
}
