package dev.whirlwind.tornado;

import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import uk.ac.manchester.tornado.api.TornadoBackend;
import uk.ac.manchester.tornado.api.TornadoRuntime;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoDeviceType;
import uk.ac.manchester.tornado.api.runtime.TornadoRuntimeProvider;

/** The devices that the installed TornadoVM knows. */
public final class Devices {
    static {
        // Read once, when TornadoVM's first class loads: a kernel that does not compile is an error, not slow Java in
        // silence, and the limit on device memory is the device's own, which allocation checks.
        System.setProperty("tornado.recover.bailout", "False");
        // Of the events that a task may wait for TornadoVM clears a table at each run, by default of 128 KiB a task: a
        // quarter of the host's time. The longest stage has some hundred tasks and transfers.
        System.setProperty("tornado.max.events", "1024");
        if (System.getProperty("tornado.device.memory") == null) {
            System.setProperty("tornado.device.memory", "1048576GB");
        }
    }

    private static final String PROBLEM = "whirlwind.tornado.problem";

    private Devices() {}

    /** Why the launcher left an SDK out that it found or that was named, in one line. */
    public static Optional<String> problem() {
        return Optional.ofNullable(System.getProperty(PROBLEM));
    }

    /** Which back ends of the SDK the launcher left out, and why, in one line. */
    public static Optional<String> leftOut() {
        return Optional.ofNullable(System.getProperty("whirlwind.tornado.left.out"));
    }

    /** All devices, in TornadoVM's order; an error says what is missing. */
    public static List<DeviceInfo> list() {
        List<DeviceInfo> devices = NativeOutput.silenced(() -> list(runtime()));
        if (devices.isEmpty()) {
            throw Failures.atStart(new IllegalStateException("the drivers that are installed have none"
                    + leftOut().map(why -> "; " + why).orElse("")));
        }
        return devices;
    }

    private static List<DeviceInfo> list(TornadoRuntime runtime) {
        List<DeviceInfo> devices = new ArrayList<>();
        for (int b = 0; b < runtime.getNumBackends(); b++) {
            TornadoBackend backend = runtime.getBackend(b);
            for (int d = 0; d < backend.getNumDevices(); d++) {
                TornadoDevice device = backend.getDevice(d);
                devices.add(new DeviceInfo(
                        b + ":" + d,
                        // It says CUDADriver.
                        backend.getName().replaceFirst("Driver$", ""),
                        device.getPlatformName(),
                        device.getPhysicalDevice().getDeviceName(),
                        device.getDeviceType() == TornadoDeviceType.CPU
                                ? "cpu"
                                : device.getDeviceType() == TornadoDeviceType.GPU ? "gpu" : "accelerator",
                        device.getPhysicalDevice().getDeviceGlobalMemorySize()));
            }
        }
        return devices;
    }

    /** The device with an id; null stands for the first GPU or, without one, the first device. */
    public static DeviceInfo find(String id) {
        List<DeviceInfo> devices = list();
        if (id == null) {
            return devices.stream().filter(DeviceInfo::isGpu).findFirst().orElse(devices.getFirst());
        }
        return devices.stream()
                .filter(device -> device.id().equals(id))
                .findFirst()
                .orElseThrow(() -> new UsageException("no device " + id + "; there are "
                        + String.join(", ", devices.stream().map(DeviceInfo::id).toList())
                        + " (see ./whirlwind devices)"));
    }

    static TornadoDevice device(DeviceInfo info) {
        int colon = info.id().indexOf(':');
        return runtime()
                .getBackend(Integer.parseInt(info.id().substring(0, colon)))
                .getDevice(Integer.parseInt(info.id().substring(colon + 1)));
    }

    private static TornadoRuntime runtime() {
        problem().ifPresent(problem -> {
            throw new UserException(problem);
        });
        if (ModuleLayer.boot().findModule("tornado.runtime").isEmpty()) {
            throw new UserException("no TornadoVM SDK found; install one (docs/tornadovm.md says which), set"
                    + " TORNADOVM_HOME to it unless SDKMAN did, and start with ./whirlwind");
        }
        try {
            return TornadoRuntimeProvider.getTornadoRuntime();
        } catch (RuntimeException | Error e) {
            throw Failures.atStart(e);
        }
    }
}
