package dev.whirlwind.cli.run;

import dev.whirlwind.cli.shared.Engines;
import dev.whirlwind.cli.shared.LessMemory;
import dev.whirlwind.cli.shared.MemoryCheck;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.safetensors.DType;
import dev.whirlwind.model.weights.WeightFiles;
import dev.whirlwind.tornado.DeviceInfo;
import dev.whirlwind.training.checkpoints.DiskNeeds;
import dev.whirlwind.training.config.EngineOptions;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.config.WatchingOptions;
import dev.whirlwind.training.distillation.TeacherCache;
import dev.whirlwind.training.evaluation.Prompt;
import dev.whirlwind.training.evaluation.Samples;
import dev.whirlwind.training.memory.MemoryNeeds;
import dev.whirlwind.training.memory.MemoryPlan;
import dev.whirlwind.training.memory.MemoryUse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a run takes of memory, also with other options than it has.
 *
 * @param model as its weights have it
 * @param prompts that samples continue; none where the beginnings of texts are continued
 * @param device that the run computes on; empty where it is the host's processors
 */
record RunMemory(ModelConfig model, List<Prompt> prompts, Optional<DeviceInfo> device) {
    /** Options that a run which has not begun can have others of, to take less. */
    static final Set<String> CHANGEABLE = Set.of(
            "batch",
            "accumulation",
            "recompute",
            "recompute_every",
            "sequence",
            "ema",
            "teacher",
            "weights",
            "moments",
            "update_in_backward",
            "optimizer",
            "lora");

    /** And one that has: none that changes what a step reads or what is kept from step to step. */
    static final Set<String> CHANGEABLE_UNDER_WAY = Set.of("batch", "accumulation", "recompute", "recompute_every");

    /** Tokens of a text's beginning that a sample continues. */
    private static final int BEGINNING = 32;

    static RunMemory of(TrainConfig config, ModelConfig model, List<Prompt> prompts) {
        EngineOptions engine = config.engine();
        return new RunMemory(model, prompts, Engines.device(engine.engine(), engine.device()));
    }

    /** Tokens of a text's beginning that are a prompt, so that as many may follow. */
    static int beginning(ModelConfig model) {
        return Math.max(1, Math.min(BEGINNING, model.longestText() / 2));
    }

    /** With these options. */
    MemoryPlan plan(TrainConfig config) {
        String teacher = config.regularisation().teacher();
        MemoryUse use = MemoryNeeds.training(
                model,
                config,
                new MemoryNeeds.Beside(
                        sampleTokens(config.watching()),
                        teacher == null ? null : ModelFolder.config(Path.of(teacher)),
                        keptTokens(config),
                        tokenizer(Path.of(config.data().model()))));
        return device.map(found -> MemoryPlan.onDevice(use, found.kind().equals("cpu")))
                .orElseGet(() -> MemoryPlan.onHost(use));
    }

    /**
     * What it takes of the disk.
     *
     * @param steps of the run; 0 where they are not known
     */
    DiskNeeds disk(TrainConfig config, long steps) {
        MemoryPlan plan = plan(config);
        return DiskNeeds.of(
                config,
                config.layout(model),
                stored(Path.of(config.data().model())),
                plan.device().parts().isEmpty() ? plan.host() : plan.device(),
                steps);
    }

    /** The type of a model's files. */
    private static DType stored(Path folder) {
        if (!hasWeights(folder)) {
            return DType.F32;
        }
        try (WeightFiles files = WeightFiles.open(ModelFolder.base(folder))) {
            String first = files.names().getFirst();
            return files.file(first).dtype(first);
        }
    }

    /** Whether a folder is of a model with weights, or of an adapter of one. */
    static boolean hasWeights(Path folder) {
        return WeightFiles.NAMES.stream()
                .anyMatch(name -> Files.exists(ModelFolder.base(folder).resolve(name)));
    }

    /** What would make it less. */
    LessMemory less(TrainConfig config, Set<String> changeable, MemoryCheck room) {
        Set<String> possible = new HashSet<>(changeable);
        if (device.isPresent()) {
            possible.remove("weights");
        }
        return new LessMemory(
                config, config.length().sequenceLength(model.maxPositions()), possible, this::plan, room::fits);
    }

    /** What there is. */
    MemoryCheck room(boolean unchecked) {
        MemoryCheck host = MemoryCheck.now(unchecked);
        return device.map(found -> host.onDevice(found.memory())).orElse(host);
    }

    private int sampleTokens(WatchingOptions watching) {
        if (watching.sampleEvery() == 0) {
            return 0;
        }
        return prompts.isEmpty()
                ? (int) Math.min(model.longestText(), (long) beginning(model) + watching.sampleTokens())
                : Samples.capacity(model, prompts, watching.sampleTokens());
    }

    private static long tokenizer(Path folder) {
        return Tokenizer.fileSize(Tokenizer.isIn(folder) ? folder : ModelFolder.base(folder));
    }

    private int keptTokens(TrainConfig config) {
        return config.regularisation().teacherCache().stream()
                .limit(1)
                .mapToInt(folder -> TeacherCache.open(
                                Path.of(folder),
                                model.vocabularySize(),
                                config.length().sequenceLength(model.maxPositions()),
                                config.regularisation().temperature())
                        .top())
                .sum();
    }
}
