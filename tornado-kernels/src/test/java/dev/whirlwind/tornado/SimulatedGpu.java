package dev.whirlwind.tornado;

import dev.whirlwind.model.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What kernels cost on GPUs, counted on a simulated one: {@code run PRECISION} trains steps of small models on the device that there
 * is, {@code table PRECISION LOG DEVICES [REGISTERS]} makes tables of what the simulator wrote meanwhile. See
 * benchmarks/gpu-simulated.
 */
final class SimulatedGpu {
    /** Of the simulated device; products are split among few groups, so that their parts are met. */
    private static final int COMPUTE_UNITS = 2;

    /** A step of a model; sizes that no tile divides, and two of each. The first has GPT-2's heads, whose registers count. */
    private record Step(String json, int batch, int sequence) {}

    private static final String GPT2 = """
            {"architectures":["GPT2LMHeadModel"],"model_type":"gpt2","n_embd":%d,"n_layer":1,"n_head":%d,"vocab_size":%d,
            "n_positions":1024,"resid_pdrop":0,"embd_pdrop":0,"attn_pdrop":0}
            """;

    private static final String QWEN3 = """
            {"architectures":["Qwen3ForCausalLM"],"model_type":"qwen3","hidden_size":%d,"head_dim":%d,
            "intermediate_size":%d,"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,
            "vocab_size":%d,"max_position_embeddings":1024,"rms_norm_eps":1e-6,"rope_theta":10000.0,
            "tie_word_embeddings":false}
            """;

    private static final List<Step> STEPS = List.of(
            new Step(GPT2.formatted(128, 2, 100), 1, 128),
            new Step(GPT2.formatted(100, 5, 600), 1, 64),
            new Step(QWEN3.formatted(40, 70, 48, 100), 1, 23),
            new Step(QWEN3.formatted(100, 50, 120, 200), 1, 70));

    /** A GPU's figures, and what it waits for. */
    private record Gpu(String name, List<Double> figures) {
        double units() {
            return figures.get(0);
        }

        /** How many groups of a kernel a unit holds at once. */
        double resident(Launch launch, Registers registers) {
            double byItems = figures.get(4) / launch.groupItems();
            double byRegisters = figures.get(5) / (registers.registers() * launch.groupItems());
            double byLocal = figures.get(6) * 1024 / Math.max(1, registers.localBytes());
            return Math.max(1, Math.floor(Math.min(Math.min(byItems, byRegisters), byLocal)));
        }

        /** Seconds: of memory, of arithmetic, of local memory, of issuing instructions, and of items waiting. */
        List<Double> bounds(Launch launch, CostPerRound cost, Registers registers) {
            Counts all = cost.all(launch);
            Counts longest = cost.longest(launch);
            Rounds rounds = Rounds.of(launch);
            double bytes = rounds.bytes() > 0 ? rounds.bytes() : all.globalBytes();
            double hertz = figures.get(2) * 1e9;
            double lanes = units() * figures.get(1);
            double waves = Math.ceil(launch.groups() / (units() * resident(launch, registers)));
            double item = rounds.waits() * figures.get(8) + longest.instructions() * figures.get(9);
            double busy = Math.min(1, launch.groups() / units());
            double adders = launch.kernel().equals(TENSOR_CORES) ? units() * figures.get(10) : lanes;
            return List.of(
                    bytes / (figures.get(3) * 1e9),
                    all.arithmetic() / (adders * hertz * busy),
                    all.localBytes() / (units() * figures.get(7) * hertz * busy),
                    all.instructions() / (lanes * hertz * busy),
                    waves * item / hertz);
        }
    }

    private static final String TENSOR_CORES = "wGemmTensorCores";

    /**
     * Kernels of CUDA alone, which the simulator cannot run, by hand: instructions of PTX that NVRTC makes of an item and of
     * a slice, and a slice's 40 cycles of local memory for a warp.
     */
    private static final Map<String, CostPerRound> OF_CUDA = Map.of(
            TENSOR_CORES,
            new CostPerRound(List.of(new Counts("", 700, 0, 0, 0), new Counts("", 200, 16, 160, 1024)), 0),
            "wNarrowBf16",
            new CostPerRound(List.of(new Counts("", 30, 20, 0, 0)), 0),
            "wWidenBf16",
            new CostPerRound(List.of(new Counts("", 15, 6, 0, 0)), 0));

    /** What a compiler makes of a kernel; without one, what most get. */
    private record Registers(double registers, double stack, double localBytes) {
        static final Registers UNKNOWN = new Registers(64, 0, 0);
    }

    private SimulatedGpu() {}

    /** See the class. */
    public static void main(String[] args) throws IOException {
        Locale.setDefault(Locale.ROOT);
        Precision precision = Precision.valueOf(args[1].toUpperCase(Locale.ROOT));
        if (args[0].equals("run")) {
            run(precision);
        } else {
            table(precision, Path.of(args[2]), Path.of(args[3]), args.length > 4 ? Path.of(args[4]) : null);
        }
    }

    private static void run(Precision precision) {
        for (Step step : STEPS) {
            DeviceInfo info = Devices.find(null);
            try (TornadoEngine engine = new TornadoEngine(info, precision, info.memory(), true, COMPUTE_UNITS)) {
                Launches.step(engine, Launches.config(step.json()), step.batch(), step.sequence());
            }
        }
    }

    private static void table(Precision precision, Path log, Path devices, Path registers) throws IOException {
        List<Launch> launches = new ArrayList<>();
        for (Step step : STEPS) {
            launches.addAll(Launches.ofStep(
                    Launches.config(step.json()), step.batch(), step.sequence(), COMPUTE_UNITS, precision, false));
        }
        List<Counts> counted = Counts.read(log);
        if (launches.size() != counted.size()) {
            throw new IllegalStateException(
                    launches.size() + " kernels were to run, but the simulator counted " + counted.size());
        }
        Map<String, CostPerRound> costs = CostPerRound.fit(launches, counted);
        costs.forEach((key, cost) -> System.out.printf("%-36s worst %.3f %s%n", key, cost.worst(), cost.terms()));
        costs.putAll(OF_CUDA);
        Map<String, Registers> compiled = new LinkedHashMap<>();
        compiled.put(TENSOR_CORES, new Registers(127, 0, 20_992));
        if (registers != null) {
            for (String line : Files.readAllLines(registers)) {
                String[] cells = line.split(",", -1);
                compiled.put(
                        cells[0],
                        new Registers(
                                Double.parseDouble(cells[1]),
                                Double.parseDouble(cells[2]),
                                Double.parseDouble(cells[3])));
            }
        }
        for (String line : Files.readAllLines(devices)) {
            if (!line.startsWith("#")) {
                String[] cells = line.split(",", -1);
                List<Double> figures = new ArrayList<>();
                for (int i = 1; i < cells.length; i++) {
                    figures.add(Double.valueOf(cells[i]));
                }
                table(precision, new Gpu(cells[0], figures), costs, compiled);
            }
        }
    }

    private static void table(
            Precision precision, Gpu gpu, Map<String, CostPerRound> costs, Map<String, Registers> compiled) {
        String[] limits = {"memory", "arithmetic", "local memory", "instructions", "waiting"};
        System.out.printf("%n%s: gpt2, 8 x 1024 tokens, %s%n%n", gpu.name(), precision);
        System.out.println(
                "| operation | kernel | runs | groups, least | items | global MB | local MB | multiply-adds, millions "
                        + "| instructions of the longest item | registers | stack | groups of a unit | ms | bound by |");
        System.out.println("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        Map<String, List<Launch>> operations = new LinkedHashMap<>();
        for (Launch launch : Launches.ofStep(
                Launches.config(Launches.GPT2),
                8,
                1024,
                (int) gpu.units(),
                precision,
                gpu.figures().get(10) > 0)) {
            operations
                    .computeIfAbsent(launch.operation() + " | " + launch.kernel(), key -> new ArrayList<>())
                    .add(launch);
        }
        double total = 0;
        double totalBytes = 0;
        double totalInstructions = 0;
        double totalLongest = 0;
        for (Map.Entry<String, List<Launch>> operation : operations.entrySet()) {
            Counts sum = new Counts("", 0, 0, 0, 0);
            double longest = 0;
            double groups = Double.MAX_VALUE;
            double items = 0;
            double seconds = 0;
            double[] by = new double[limits.length];
            Registers registers = Registers.UNKNOWN;
            double resident = 0;
            for (Launch launch : operation.getValue()) {
                CostPerRound cost = costs.get(CostPerRound.key(launch));
                registers = compiled.getOrDefault(launch.kernel(), Registers.UNKNOWN);
                resident = gpu.resident(launch, registers);
                sum = sum.plus(cost.all(launch));
                longest = Math.max(longest, cost.longest(launch).instructions());
                groups = Math.min(groups, (double) launch.groups());
                items += launch.items();
                List<Double> bounds = gpu.bounds(launch, cost, registers);
                int most = 0;
                for (int i = 0; i < limits.length; i++) {
                    most = bounds.get(i) > bounds.get(most) ? i : most;
                }
                by[most] += bounds.get(most);
                seconds += bounds.get(most);
                totalLongest += cost.longest(launch).instructions();
            }
            int most = 0;
            for (int i = 0; i < limits.length; i++) {
                most = by[i] > by[most] ? i : most;
            }
            System.out.printf(
                    "| %s | %d | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %s | %s | %.0f | %.2f | %s |%n",
                    operation.getKey(),
                    operation.getValue().size(),
                    groups,
                    items,
                    sum.globalBytes() / 1e6,
                    sum.localBytes() / 1e6,
                    sum.arithmetic() / 1e6,
                    longest,
                    compiled.size() == 1 ? "" : Math.round(registers.registers()),
                    compiled.size() == 1 ? "" : Math.round(registers.stack()),
                    resident,
                    seconds * 1e3,
                    limits[most]);
            total += seconds;
            totalBytes += sum.globalBytes();
            totalInstructions += sum.instructions();
        }
        System.out.printf(
                "| all | | | | | %.0f | | | %.0f (sum over runs) | | | | %.1f | |%n",
                totalBytes / 1e6, totalLongest, total * 1e3);
        System.out.printf("%ninstructions of all items: %.0f thousand millions%n", totalInstructions / 1e9);
    }
}
