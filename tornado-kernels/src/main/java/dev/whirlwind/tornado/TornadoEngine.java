package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.UserException;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.WorkerGrid2D;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;

/**
 * Runs the kernels on a TornadoVM device. Each stage of a program becomes one task graph when it first runs, and is
 * replayed after that; buffers stay on the device.
 */
public final class TornadoEngine extends KernelEngine {
    private final DeviceInfo info;
    private final Residency residency;
    private final IdentityHashMap<Stage, TornadoExecutionPlan> plans = new IdentityHashMap<>();
    private final boolean gpu;
    private final int computeUnits;
    private final long memory;
    private final long largest;
    private long allocated;
    private long compileNanos;

    /** On a device that {@link Devices} found; {@code -Dwhirlwind.kernels=cpu} or {@code gpu} overrules its kind. */
    public TornadoEngine(DeviceInfo info) {
        this(
                info,
                info.memory(),
                System.getProperty("whirlwind.kernels", info.isGpu() ? "gpu" : "cpu")
                        .equals("gpu"),
                Devices.device(info).getPhysicalDevice().getDeviceMaxComputeUnits());
    }

    /** Some memory only, or kernels for another kind of device. */
    TornadoEngine(DeviceInfo info, long memory, boolean gpu, int computeUnits) {
        this.info = info;
        this.memory = memory;
        this.gpu = gpu;
        this.computeUnits = computeUnits;
        TornadoDevice device = Devices.device(info);
        largest = device.getPhysicalDevice().getDeviceMaxAllocationSize();
        residency = new Residency(device);
        residency.check(info.name());
    }

    @Override
    public String name() {
        return "tornado";
    }

    @Override
    public String description() {
        return info.name() + " (" + info.backend() + ", " + info.kind() + ")";
    }

    @Override
    Recorder recorder() {
        return gpu ? new GpuRecorder(this, computeUnits) : super.recorder();
    }

    @Override
    public Buffer allocate(String name, long length) {
        long bytes = Math.multiplyExact(length, Float.BYTES);
        if (allocated + bytes > memory || bytes > largest) {
            throw new UserException(String.format(
                    Locale.ROOT,
                    "%s has %.1f GiB of memory (%.1f GiB for one buffer), but the run needs %.1f GiB and more (%.1f GiB "
                            + "for %s); choose a smaller batch or model, or --engine cpu",
                    info.name(),
                    memory / 0x1p30,
                    largest / 0x1p30,
                    (allocated + bytes) / 0x1p30,
                    bytes / 0x1p30,
                    name));
        }
        Memory buffer = (Memory) super.allocate(name, length);
        allocated += bytes;
        residency.add(buffer.array());
        return buffer;
    }

    @Override
    void run(Stage stage) {
        try {
            TornadoExecutionPlan plan = plans.get(stage);
            if (plan != null) {
                plan.withGraph(1).execute();
                return;
            }
            long start = System.nanoTime();
            residency.settle();
            plan = plan(stage.calls(), stage);
            plans.put(stage, plan);
            plan.withGraph(1).execute();
            compileNanos += System.nanoTime() - start;
        } catch (UserException e) {
            throw e;
        } catch (RuntimeException | Error e) {
            throw Failures.on(info.name(), culprit(stage), e);
        }
    }

    /** Time that compiling took so far, with each kernel's first run. */
    public double compileSeconds() {
        return compileNanos * 1e-9;
    }

    /** Not all of TornadoVM's errors name the kernel: the first that fails alone, too. */
    private String culprit(Stage stage) {
        for (Call call : stage.calls()) {
            try {
                plan(List.of(call), stage).withGraph(1).execute();
            } catch (RuntimeException | Error e) {
                return "in kernel " + call.name() + " ";
            }
        }
        return "";
    }

    private TornadoExecutionPlan plan(List<Call> calls, Stage stage) {
        String name = residency.name("stage");
        TaskGraph graph = new TaskGraph(name);
        GridScheduler grids = new GridScheduler();
        graph.consumeFromDevice(residency.resident());
        graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, stage.inputs().toArray());
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
    public void download(Buffer buffer, long offset, long length) {
        residency.download(((Memory) buffer).array(), offset, length);
    }

    @Override
    public void upload(Buffer buffer, long offset, long length) {
        residency.upload(((Memory) buffer).array(), offset, length);
    }

    @Override
    public void close() {
        plans.clear();
        residency.close();
    }
}
