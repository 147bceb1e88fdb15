package dev.whirlwind.tornado;

import dev.whirlwind.model.UserException;
import dev.whirlwind.tornado.kernels.Transfers;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import uk.ac.manchester.tornado.api.DataRange;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.TornadoExecutionResult;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * Arrays that stay on the device. TornadoVM keeps device buffers by task graph, and a graph can take over only what the
 * graph that ran just before it in the same plan kept. So one graph, the hub, holds all arrays; every other graph has a
 * plan of its own, {@code (hub, graph)}, runs the hub once before its first run, and takes from it (later from itself)
 * the very same buffers. When arrays are added, a new hub takes over the old one's and adds them; graphs that know only
 * the old hub stay valid, and nothing is compiled or copied again.
 */
final class Residency {
    /** Floats that are uploaded at once after the first run. */
    static final int STAGING = 1 << 20;

    private static final int CANARY = 1000;

    private final TornadoDevice device;
    private final List<Object> resident = new ArrayList<>();
    private final List<FloatArray> pending = new ArrayList<>();
    private final List<IntArray> pendingInts = new ArrayList<>();
    private final IdentityHashMap<TornadoNativeArray, Runnable> uploads = new IdentityHashMap<>();
    private final IntArray no = new IntArray(1);
    private final IntArray where = new IntArray(2);
    private final FloatArray staging = new FloatArray(STAGING);
    private IntArray stagingInts;
    private ImmutableTaskGraph hub;
    private TornadoExecutionPlan hubPlan;
    private TornadoExecutionResult hubResult;
    private int graphs;

    Residency(TornadoDevice device) {
        this.device = device;
    }

    /** The array goes to the device, with what the host wrote to it until then, before the next graph runs. */
    void add(FloatArray array) {
        pending.add(array);
    }

    /** The same. */
    void add(IntArray array) {
        pendingInts.add(array);
    }

    /** A name that no other graph has. */
    String name(String prefix) {
        return prefix + graphs++;
    }

    /** What every graph must consume and persist, even if its tasks use a part: the graph run next takes it from there. */
    Object[] resident() {
        return resident.toArray();
    }

    /** A plan that runs a graph on what the resident arrays hold now. */
    TornadoExecutionPlan plan(ImmutableTaskGraph graph, GridScheduler grids) {
        TornadoExecutionPlan plan = new TornadoExecutionPlan(hub, graph);
        plan.withDevice(device);
        if (!grids.keySet().isEmpty()) {
            // TornadoVM wants it before a graph is selected.
            plan.withGridScheduler(grids);
        }
        plan.withGraph(0).execute();
        return plan;
    }

    /** Moves the added arrays to the device. */
    void settle() {
        if (pending.isEmpty() && pendingInts.isEmpty()) {
            return;
        }
        List<FloatArray> fresh = new ArrayList<>(pending);
        while (fresh.size() % Transfers.TOUCHED != 0) {
            fresh.add(new FloatArray(1));
        }
        List<IntArray> freshInts = new ArrayList<>(pendingInts);
        while (freshInts.size() % Transfers.TOUCHED_INTS != 0) {
            freshInts.add(new IntArray(1));
        }
        TaskGraph graph = new TaskGraph(name("hub"));
        if (hub != null) {
            graph.consumeFromDevice(resident());
        }
        graph.transferToDevice(DataTransferMode.FIRST_EXECUTION, fresh.toArray());
        graph.transferToDevice(DataTransferMode.FIRST_EXECUTION, freshInts.toArray());
        graph.transferToDevice(DataTransferMode.FIRST_EXECUTION, no);
        for (int i = 0; i < fresh.size(); i += Transfers.TOUCHED) {
            graph.task(
                    "touch" + i,
                    Transfers::wTouch,
                    no,
                    fresh.get(i),
                    fresh.get(i + 1),
                    fresh.get(i + 2),
                    fresh.get(i + 3),
                    fresh.get(i + 4),
                    fresh.get(i + 5),
                    fresh.get(i + 6),
                    fresh.get(i + 7),
                    fresh.get(i + 8),
                    fresh.get(i + 9),
                    fresh.get(i + 10),
                    fresh.get(i + 11));
        }
        for (int i = 0; i < freshInts.size(); i += Transfers.TOUCHED_INTS) {
            graph.task(
                    "touchInts" + i,
                    Transfers::wTouchInts,
                    no,
                    freshInts.get(i),
                    freshInts.get(i + 1),
                    freshInts.get(i + 2),
                    freshInts.get(i + 3));
        }
        resident.addAll(fresh);
        resident.addAll(freshInts);
        graph.persistOnDevice(resident());
        ImmutableTaskGraph next = graph.snapshot();
        TornadoExecutionPlan plan = hub == null ? new TornadoExecutionPlan(next) : new TornadoExecutionPlan(hub, next);
        plan.withDevice(device);
        if (hub == null) {
            hubResult = plan.execute();
        } else {
            plan.withGraph(0).execute();
            hubResult = plan.withGraph(1).execute();
        }
        hub = next;
        hubPlan = plan;
        pending.clear();
        pendingInts.clear();
    }

    /** Runs a kernel whose result is known: a device that computes wrongly must not be found out by a lost run. */
    void check(String device) {
        IntArray out = new IntArray(CANARY);
        ImmutableTaskGraph graph = new TaskGraph(name("canary"))
                .task("canary", Transfers::wCanary, out, CANARY)
                .transferToHost(DataTransferMode.EVERY_EXECUTION, out)
                .snapshot();
        NativeOutput.silenced(() -> {
            try (TornadoExecutionPlan plan = new TornadoExecutionPlan(graph)) {
                return plan.withDevice(this.device).execute();
            } catch (TornadoExecutionPlanException | RuntimeException | Error e) {
                throw Failures.on(device, "in the first kernel ", e);
            }
        });
        for (int i = 0; i < CANARY; i++) {
            if (out.get(i) != 3 * i + 1) {
                throw new UserException(device + " computes wrongly: element " + i + " of the first kernel's result is "
                        + out.get(i) + ", not " + (3 * i + 1) + "; check its driver, or choose another --device");
            }
        }
    }

    /** Gives the device memory back. */
    void close() {
        if (hubPlan != null) {
            hubPlan.freeDeviceMemory();
            hubPlan = null;
        }
    }

    void download(TornadoNativeArray array, long offset, long length) {
        if (length > 0 && resident.contains(array)) {
            hubResult.transferToHost(new DataRange(array).withOffset(offset).withSize(length));
        }
    }

    void upload(FloatArray array, long offset, long length) {
        upload(
                array,
                offset,
                length,
                staging,
                () -> uploader(graph -> graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, where, staging)
                        .task("upload", Transfers::wUpload, where, staging, array, STAGING)));
    }

    void upload(IntArray array, long offset, long length) {
        if (stagingInts == null) {
            stagingInts = new IntArray(STAGING);
        }
        upload(
                array,
                offset,
                length,
                stagingInts,
                () -> uploader(graph -> graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, where, stagingInts)
                        .task("upload", Transfers::wUploadInts, where, stagingInts, array, STAGING)));
    }

    private void upload(
            TornadoNativeArray array, long offset, long length, TornadoNativeArray by, Supplier<Runnable> uploader) {
        if (!resident.contains(array)) {
            return;
        }
        Runnable upload = uploads.computeIfAbsent(array, _ -> uploader.get());
        for (long done = 0; done < length; done += STAGING) {
            int count = (int) Math.min(STAGING, length - done);
            MemorySegment.copy(array.getSegment(), 4 * (offset + done), by.getSegment(), 0, 4L * count);
            where.set(0, (int) (offset + done));
            where.set(1, count);
            upload.run();
        }
    }

    private Runnable uploader(UnaryOperator<TaskGraph> task) {
        TaskGraph graph = task.apply(new TaskGraph(name("upload")).consumeFromDevice(resident()));
        TornadoExecutionPlan plan = plan(graph.persistOnDevice(resident()).snapshot(), new GridScheduler());
        return () -> plan.withGraph(1).execute();
    }
}
