package dev.whirlwind.cli.run;

import dev.whirlwind.cli.cost.ModelFlops;
import dev.whirlwind.data.DatasetSummary;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.training.config.LengthOptions;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.memory.MemoryPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Predicate;

/**
 * What a run is about to do, told before its first step.
 *
 * @param layout of the model, with an adapter that the run trains
 * @param texts by the option that names them: data, valid, replay
 * @param perEpoch training sequences in a pass over data, replayed ones included
 * @param memory that the run needs
 * @param available bytes of memory before anything of the run was loaded
 */
record Regime(
        TrainConfig config,
        ModelConfig model,
        ParameterLayout layout,
        SequencedMap<String, DatasetSummary> texts,
        List<String> evaluated,
        long perEpoch,
        long totalSteps,
        MemoryPlan memory,
        long available) {

    List<String> lines() {
        List<String> lines = new ArrayList<>();
        LengthOptions length = config.length();
        int sequence = length.sequenceLength(model.maxPositions());
        long trained = layout.checkpointTensors().stream()
                .filter(tensor -> trains().test(tensor.name()))
                .mapToLong(CheckpointTensor::size)
                .sum();
        long all = layout.parameterCount();
        lines.add("model of %,d parameters%s"
                .formatted(all, trained == all ? "" : ", of which %,d are trained".formatted(trained)));
        for (Map.Entry<String, DatasetSummary> text : texts.entrySet()) {
            DatasetSummary summary = text.getValue();
            lines.add("%s: %s%s".formatted(text.getKey(), words(summary.train()), heldOut(summary)));
            summary.heldOutWarning().ifPresent(lines::add);
        }
        if (evaluated.isEmpty()) {
            lines.add("nothing is held out: nothing is evaluated, and there will be no best model");
        }
        long perStep = (long) length.batch() * length.accumulation();
        long sequences = Math.min(length.totalSequences(perEpoch), totalSteps * perStep);
        lines.add("%,d steps of %s sequences of %,d tokens: %,d tokens, %.3g epochs"
                .formatted(
                        totalSteps,
                        length.accumulation() == 1
                                ? "%,d".formatted(length.batch())
                                : "%,d x %,d".formatted(length.accumulation(), length.batch()),
                        sequence,
                        sequences * sequence,
                        (double) sequences / perEpoch));
        lines.add("memory: about %.1f GB, and %.1f GB can be had"
                .formatted(1e-9 * memory.host().total(), 1e-9 * available));
        return lines;
    }

    /** What a token of a step costs. */
    double flopsPerToken() {
        int sequence = config.length().sequenceLength(model.maxPositions());
        return ModelFlops.step(layout, 1, sequence, trains()) / sequence;
    }

    private Predicate<String> trains() {
        return config.factors(layout)::trains;
    }

    private static String words(DatasetSummary.Split split) {
        return "%,d documents, %s, %,d tokens".formatted(split.documents(), bytes(split.bytes()), split.tokens());
    }

    private static String heldOut(DatasetSummary summary) {
        return summary.valid().tokens() == 0
                ? ""
                : "; held out: %,d documents, %s (%.1f %% of the bytes)"
                        .formatted(
                                summary.valid().documents(),
                                bytes(summary.valid().bytes()),
                                100 * summary.heldOutShare());
    }

    private static String bytes(long bytes) {
        return Progress.short3((double) bytes) + "B";
    }
}
