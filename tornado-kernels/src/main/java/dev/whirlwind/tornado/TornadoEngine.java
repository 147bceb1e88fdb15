package dev.whirlwind.tornado;

import dev.whirlwind.model.Precision;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.WorkerGrid2D;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.enums.ProfilerMode;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * Runs the kernels on a TornadoVM device. Each stage of a program becomes one task graph when it first runs, and is
 * replayed after that; buffers stay on the device.
 */
public final class TornadoEngine extends KernelEngine {
    /** A launch that a device refuses once, it refuses always; what breaks later shows when a result is fetched. */
    private static final int CHECKED_RUNS = 2;

    private final DeviceInfo info;
    private final Residency residency;
    private final IdentityHashMap<Stage, Compiled> plans = new IdentityHashMap<>();
    private final Compiling compiling;
    private final boolean gpu;
    private final int computeUnits;
    private final boolean tensorCores;
    private final long memory;
    private long allocated;
    private int kernelsCompiled;
    private KernelTimes times;
    private Traffic traffic = Traffic.NONE;
    private long compileNanos;

    /** Is told how compiling goes on, before and after each part of it. */
    @FunctionalInterface
    public interface Compiling {
        /**
         * So many kernels are compiled.
         *
         * @param known kernels of all that was to be computed so far
         * @param seconds that compiling took so far, with each kernel's first run
         */
        void at(int done, int known, double seconds);
    }

    /** On a device that {@link Devices} found. */
    public TornadoEngine(DeviceInfo info) {
        this(info, Precision.FP32, (done, known, seconds) -> {});
    }

    /** The same; {@code -Dwhirlwind.kernels=cpu} or {@code gpu} overrules the device's kind. */
    public TornadoEngine(DeviceInfo info, Precision precision, Compiling compiling) {
        this(info, precision, info.memory(), forGpus(info), computeUnits(info), compiling);
    }

    private static boolean forGpus(DeviceInfo info) {
        String kind = System.getProperty("whirlwind.kernels", info.isGpu() ? "gpu" : "cpu");
        return switch (kind) {
            case "gpu" -> true;
            case "cpu" -> false;
            default -> throw new UsageException("-Dwhirlwind.kernels is " + kind + "; it must be cpu or gpu");
        };
    }

    private static long largestArray(DeviceInfo info) {
        long bytes = Devices.device(info).getPhysicalDevice().getDeviceMaxAllocationSize();
        return (bytes - TornadoNativeArray.ARRAY_HEADER) / Float.BYTES;
    }

    private static int computeUnits(DeviceInfo info) {
        return Devices.device(info).getPhysicalDevice().getDeviceMaxComputeUnits();
    }

    /** Some memory only, or kernels for another kind or size of device. */
    TornadoEngine(DeviceInfo info, Precision precision, long memory, boolean gpu, int computeUnits) {
        this(info, precision, memory, gpu, computeUnits, (done, known, seconds) -> {});
    }

    private TornadoEngine(
            DeviceInfo info, Precision precision, long memory, boolean gpu, int computeUnits, Compiling compiling) {
        super(precision, largestArray(info));
        this.info = info;
        this.compiling = compiling;
        this.memory = memory;
        this.gpu = gpu;
        this.computeUnits = computeUnits;
        tensorCores = gpu && precision == Precision.BF16 && TensorCores.areUsed(info);
        residency = new Residency(Devices.device(info));
        residency.check(info.name());
    }

    @Override
    public String name() {
        return "tornado";
    }

    @Override
    public String description() {
        String format = precision().isHalf() ? ", " + precision().name().toLowerCase(Locale.ROOT) : "";
        String cores = tensorCores ? ", tensor cores" : "";
        return info.name() + " (" + info.backend() + ", " + info.kind() + format + cores + ")";
    }

    @Override
    Recorder recorder() {
        return gpu ? new GpuRecorder(this, computeUnits, tensorCores) : super.recorder();
    }

    @Override
    void take(String name, long bytes) {
        if (allocated + bytes > memory) {
            throw new UserException(String.format(
                    Locale.ROOT,
                    "%s has %.1f GiB of memory, but the run needs %.1f GiB and more (%.1f GiB for %s); choose a smaller "
                            + "batch or model, or --engine cpu",
                    info.name(),
                    memory / 0x1p30,
                    (allocated + bytes) / 0x1p30,
                    bytes / 0x1p30,
                    name));
        }
        allocated += bytes;
    }

    @Override
    void keep(FloatArray array) {
        residency.add(array);
    }

    @Override
    void keep(IntArray array) {
        residency.add(array);
    }

    /** The device that it runs on. */
    public DeviceInfo device() {
        return info;
    }

    /** Measures the device; takes half a GiB of its memory meanwhile. */
    public DevicePeak peak() {
        DevicePeak[] peak = new DevicePeak[1];
        guardedTransfer("while its peak was measured", () -> peak[0] = DevicePeak.measure(Devices.device(info)));
        return peak[0];
    }

    /** Times every kernel from now on, which small ones take longer for. */
    public KernelTimes profile() {
        times = new KernelTimes();
        return times;
    }

    /** What went between host and device so far. */
    public Traffic traffic() {
        return traffic;
    }

    @Override
    void run(Stage stage) {
        traffic = traffic.afterRun(stage);
        Compiled compiled = plans.get(stage);
        if (compiled != null && compiled.runs >= CHECKED_RUNS) {
            guarded(stage, compiled::run);
        } else if (compiled != null) {
            guarded(stage, () -> checked(stage, compiled::run));
        } else {
            long start = System.nanoTime();
            compiling.at(kernelsCompiled, kernels(), compileSeconds());
            guarded(
                    stage,
                    () -> checked(stage, () -> {
                        residency.settle();
                        Compiled fresh = new Compiled(plan(stage.calls(), stage));
                        plans.put(stage, fresh);
                        fresh.run();
                    }));
            compileNanos += System.nanoTime() - start;
            kernelsCompiled += stage.calls().size();
            compiling.at(kernelsCompiled, kernels(), compileSeconds());
        }
    }

    /** Runs, and says what failed and where. */
    private void guarded(Stage stage, Runnable action) {
        try {
            action.run();
        } catch (UserException e) {
            throw e;
        } catch (RuntimeException | Error e) {
            throw Failures.on(info.name(), culprit(stage), e);
        }
    }

    /** Runs, and does not take a kernel for done that the driver refused: TornadoVM only prints that, and goes on. */
    private void checked(Stage stage, Runnable action) {
        List<String> failures = NativeOutput.failures(action);
        if (!failures.isEmpty()) {
            throw Failures.ofDriver(info.name(), culprit(stage), failures);
        }
    }

    /** Time that compiling took so far, with each kernel's first run. */
    public double compileSeconds() {
        return compileNanos * 1e-9;
    }

    /**
     * Neither all of TornadoVM's errors nor those of drivers name the kernel: the first that fails alone, too. After some
     * errors nothing runs on a device any more, so that the first would always be blamed.
     */
    private String culprit(Stage stage) {
        try {
            residency.check(info.name());
        } catch (UserException e) {
            return "in one of the kernels "
                    + String.join(", ", stage.calls().stream().map(Call::name).toList())
                    + ", after which nothing runs ";
        }
        for (Call call : stage.calls()) {
            boolean fails;
            try {
                fails = !NativeOutput.failures(
                                () -> plan(List.of(call), stage).withGraph(1).execute())
                        .isEmpty();
            } catch (RuntimeException | Error e) {
                fails = true;
            }
            if (fails) {
                return "in kernel " + call.name() + " ";
            }
        }
        return "";
    }

    /** A stage's plan, and how often it ran. */
    private final class Compiled {
        private final TornadoExecutionPlan plan;
        private int runs;
        private String logged = "";

        Compiled(TornadoExecutionPlan plan) {
            this.plan = plan;
        }

        void run() {
            runs = Math.min(runs + 1, CHECKED_RUNS);
            TornadoExecutionPlan stage = plan.withGraph(1);
            if (times == null) {
                stage.execute();
            } else {
                String all = stage.withProfiler(ProfilerMode.SILENT)
                        .execute()
                        .getProfilerResult()
                        .getProfileLog();
                // It keeps what earlier executions logged.
                times.add(all.startsWith(logged) ? all.substring(logged.length()) : all);
                logged = all;
            }
        }
    }

    private TornadoExecutionPlan plan(List<Call> calls, Stage stage) {
        String name = residency.name("stage");
        // Unless it is told before, it reads kernels for its first back end, which may not know what another does.
        System.setProperty(name + ".device", info.id());
        TaskGraph graph = new TaskGraph(name);
        System.clearProperty(name + ".device");
        GridScheduler grids = new GridScheduler();
        graph.consumeFromDevice(residency.resident());
        graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, stage.inputs().toArray());
        if (!stage.sizes().isEmpty()) {
            graph.transferToDevice(
                    DataTransferMode.FIRST_EXECUTION, stage.sizes().toArray());
        }
        int id = 0;
        for (Call call : calls) {
            String task = call.name() + "_" + id++;
            call.task().add(graph, task);
            if (call.grid() != null) {
                WorkerGrid2D grid =
                        new WorkerGrid2D(call.grid().x(), call.grid().y());
                grid.setLocalWork(call.grid().groupX(), call.grid().groupY(), 1);
                grids.addWorkerGrid(name + "." + task, grid);
            }
        }
        return residency.plan(graph.persistOnDevice(residency.resident()).snapshot(), grids);
    }

    @Override
    void fetch(Memory memory, long offset, long length) {
        traffic = traffic.afterDownload();
        guardedTransfer("while fetching " + memory.name(), () -> residency.download(memory.array(), offset, length));
    }

    @Override
    void send(Memory memory, long offset, long length) {
        traffic = traffic.afterUpload(length);
        guardedTransfer("while sending " + memory.name(), () -> residency.upload(memory.array(), offset, length));
    }

    @Override
    void fetch(BlockMemory memory) {
        traffic = traffic.afterDownload();
        guardedTransfer("while fetching " + memory.name(), () -> {
            residency.download(memory.words(), 0, memory.words().getSize());
            residency.download(memory.numbers(), 0, memory.numbers().getSize());
        });
    }

    @Override
    void send(BlockMemory memory) {
        traffic = traffic.afterUpload(memory.words().getSize());
        guardedTransfer("while sending " + memory.name(), () -> {
            residency.upload(memory.words(), 0, memory.words().getSize());
            residency.upload(memory.numbers(), 0, memory.numbers().getSize());
        });
    }

    private void guardedTransfer(String where, Runnable transfer) {
        List<String> failures;
        try {
            failures = NativeOutput.failures(transfer);
        } catch (RuntimeException | Error e) {
            throw Failures.on(info.name(), where + " ", e);
        }
        if (!failures.isEmpty()) {
            throw Failures.ofDriver(info.name(), where + " ", failures);
        }
    }

    @Override
    public void close() {
        plans.clear();
        residency.close();
        freeHost();
    }
}
