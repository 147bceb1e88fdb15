package dev.whirlwind.cli.run;

import dev.whirlwind.cli.shared.LessMemory;
import dev.whirlwind.cli.shared.MemoryCheck;
import dev.whirlwind.cli.shared.Models;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.training.checkpoints.DiskNeeds;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.evaluation.Prompt;
import dev.whirlwind.training.memory.MemoryPlan;
import dev.whirlwind.training.memory.MemoryUse;
import dev.whirlwind.training.memory.Purpose;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "plan",
        sortOptions = false,
        customSynopsis = "whirlwind plan --model DIR [OPTIONS of train]",
        description = {
            "Says what a run would take of memory and of the disk, and what would make it less.",
            "Nothing of the model but its config.json and the names of its tensors is read; --model may be a config.json or a"
                    + " preset, too. train makes the same plan first, and refuses what does not fit."
        })
public final class PlanCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--config", paramLabel = "FILE", description = "A YAML file of options, as train takes it.")
    private Path file;

    @Mixin
    private Output output;

    /** What there is to tell. */
    private record Plan(
            RunMemory memory, MemoryPlan plan, MemoryCheck room, boolean fits, List<LessMemory.Change> less) {}

    @Override
    public Integer call() {
        TrainConfig config = TrainOptions.read(
                file,
                spec.commandLine().getParseResult(),
                new LinkedHashSet<>(),
                spec.commandLine().getErr()::println);
        String given = config.data().model();
        if (given == null) {
            throw new UsageException("plan needs --model: a model's folder, a config.json or a preset ("
                    + String.join(", ", ModelConfig.PRESETS) + ")");
        }
        ModelConfig model = config.extended(model(given));
        int sequence = config.length().sequenceLength(model.maxPositions());
        model.requirePositions(sequence);
        RunMemory memory = RunMemory.of(config, model, prompts(config, model));
        MemoryPlan plan = memory.plan(config);
        MemoryCheck room = memory.room(false);
        Plan made = new Plan(
                memory,
                plan,
                room,
                room.fits(plan),
                memory.less(config, RunMemory.CHANGEABLE, room).changes());
        DiskNeeds disk = memory.disk(
                config, config.length().steps() == null ? 0 : config.length().steps());
        OptionalLong free = DiskNeeds.available(
                Path.of(config.data().out() == null ? "." : config.data().out()));
        if (output.isJson()) {
            spec.commandLine().getOut().println(Output.json(json(made, disk, free)));
        } else {
            print(made, disk, free, spec.commandLine().getOut());
        }
        return 0;
    }

    /** As its weights have it, where they are there. */
    private static ModelConfig model(String given) {
        if (ModelConfig.PRESETS.contains(given)) {
            return ModelConfig.preset(given);
        }
        Path path = Path.of(given);
        if (Files.isRegularFile(path)) {
            return ModelConfig.readFile(path);
        }
        ModelConfig config = ModelFolder.config(path);
        return RunMemory.hasWeights(path) ? ModelFolder.check(path, config) : config;
    }

    private static List<Prompt> prompts(TrainConfig config, ModelConfig model) {
        String prompts = config.watching().samplePrompts();
        Path folder = Path.of(config.data().model());
        if (prompts == null || config.watching().sampleEvery() == 0 || !Files.isDirectory(folder)) {
            return List.of();
        }
        Tokenizer tokenizer = Models.tokenizer(folder, model, _ -> {});
        return Prompt.read(Path.of(prompts), tokenizer);
    }

    private static Map<String, Object> json(Plan made, DiskNeeds disk, OptionalLong free) {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("fits", made.fits());
        result.put("available_bytes", made.room().available());
        result.put("predicted_bytes", made.plan().host().total());
        result.put("parts", parts(made.plan().host()));
        made.memory().device().ifPresent(device -> {
            Map<String, Object> there = new LinkedHashMap<>();
            there.put("name", device.name());
            there.put("available_bytes", device.memory());
            there.put("predicted_bytes", made.plan().device().total());
            there.put("parts", parts(made.plan().device()));
            result.put("device", there);
        });
        Map<String, Object> files = new LinkedHashMap<>();
        files.put("available_bytes", free.isPresent() ? free.getAsLong() : null);
        files.put("predicted_bytes", disk.run());
        files.put("checkpoint_bytes", disk.checkpoint());
        result.put("disk", files);
        result.put(
                "advice",
                made.less().stream()
                        .map(change -> {
                            Map<String, Object> advice = new LinkedHashMap<>();
                            advice.put("options", MemoryCheck.asOptions(change.options()));
                            advice.put("predicted_bytes", change.plan().host().total());
                            if (!change.plan().device().parts().isEmpty()) {
                                advice.put(
                                        "device_bytes", change.plan().device().total());
                            }
                            advice.put("cost", change.cost());
                            return advice;
                        })
                        .toList());
        return result;
    }

    private static Map<String, Long> parts(MemoryUse use) {
        Map<String, Long> parts = new LinkedHashMap<>();
        use.parts().forEach((purpose, bytes) -> parts.put(purpose.toString(), bytes));
        return parts;
    }

    private static void print(Plan made, DiskNeeds disk, OptionalLong free, PrintWriter out) {
        MemoryPlan plan = made.plan();
        boolean device = !plan.device().parts().isEmpty();
        Table table = device ? new Table("MiB", "host", "device") : new Table("MiB", "host");
        TreeSet<Purpose> purposes = new TreeSet<>(plan.host().parts().keySet());
        purposes.addAll(plan.device().parts().keySet());
        for (Purpose purpose : purposes) {
            row(
                    table,
                    device,
                    purpose.toString(),
                    plan.host().of(purpose),
                    plan.device().of(purpose));
        }
        row(table, device, "together", plan.host().total(), plan.device().total());
        row(table, device, "can be had", made.room().available(), made.room().device());
        table.print(out);
        out.println(made.fits() ? "it fits" : "it does not fit");
        out.println("files: " + MemoryCheck.size(disk.run()) + " at most, " + MemoryCheck.size(disk.checkpoint())
                + " a checkpoint"
                + (free.isPresent() ? "; " + MemoryCheck.size(free.getAsLong()) + " are free" : "")
                + (free.isPresent() && free.getAsLong() < disk.run() ? ", which is too little" : ""));
        if (made.less().isEmpty()) {
            out.println("no other options would make it fit: take a smaller model, or free memory");
            return;
        }
        out.println(made.fits() ? "it would take less" : "it would fit");
        Table less = device ? new Table("with", "host", "device", "cost") : new Table("with", "host", "cost");
        for (LessMemory.Change change : made.less()) {
            String options = MemoryCheck.asOptions(change.options());
            String host = mib(change.plan().host().total());
            if (device) {
                less.row(options, host, mib(change.plan().device().total()), change.cost());
            } else {
                less.row(options, host, change.cost());
            }
        }
        less.print(out);
    }

    private static void row(Table table, boolean device, String name, long host, long there) {
        if (device) {
            table.row(name, mib(host), mib(there));
        } else {
            table.row(name, mib(host));
        }
    }

    private static String mib(long bytes) {
        return bytes == 0 ? "-" : "%,d".formatted((bytes + (1 << 19)) >> 20);
    }
}
