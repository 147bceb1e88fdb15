package dev.whirlwind.tornado;

import dev.whirlwind.model.UsageException;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import uk.ac.manchester.tornado.api.KernelContext;

/** Whether a device has tensor cores that multiply bfloat16 numbers, and TornadoVM can use them. */
final class TensorCores {
    private static final String PROPERTY = "whirlwind.tensor-cores";

    /** The first with bfloat16: Ampere. */
    private static final int COMPUTE_CAPABILITY = 8;

    private static final Pattern VERSION = Pattern.compile("Device version\\s*: CUDA (\\d+)\\.");

    private TensorCores() {}

    /** {@code -Dwhirlwind.tensor-cores=false} does without. */
    static boolean areUsed(DeviceInfo info) {
        String wanted = System.getProperty(PROPERTY, "true");
        if (!wanted.equals("true") && !wanted.equals("false")) {
            throw new UsageException("-D" + PROPERTY + " is " + wanted + "; it must be true or false");
        }
        return wanted.equals("true")
                && areThere(
                        info.backend(), Devices.device(info).getPhysicalDevice().getDeviceInfo())
                && Arrays.stream(KernelContext.class.getMethods())
                        .anyMatch(method -> method.getName().equals("mmaBF16"));
    }

    /** From what TornadoVM's back end says about the device. */
    static boolean areThere(String backend, String description) {
        Matcher version = VERSION.matcher(description);
        return backend.equals("CUDA") && version.find() && Integer.parseInt(version.group(1)) >= COMPUTE_CAPABILITY;
    }
}
