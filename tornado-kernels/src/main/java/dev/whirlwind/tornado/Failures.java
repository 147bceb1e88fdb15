package dev.whirlwind.tornado;

import dev.whirlwind.model.UserException;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** TornadoVM's errors in one line. */
final class Failures {
    /** A broken device fails at every call. */
    private static final int CITED = 3;

    private static final Map<String, String> OPENCL = Map.of(
            "-4", "MEM_OBJECT_ALLOCATION_FAILURE",
            "-5", "OUT_OF_RESOURCES",
            "-6", "OUT_OF_HOST_MEMORY",
            "-36", "INVALID_COMMAND_QUEUE",
            "-52", "INVALID_KERNEL_ARGS",
            "-54", "INVALID_WORK_GROUP_SIZE",
            "-55", "INVALID_WORK_ITEM_SIZE",
            "-61", "INVALID_BUFFER_SIZE");

    private Failures() {}

    /** Its messages name the task and kernel. */
    static UserException on(String device, String where, Throwable e) {
        StringBuilder message = new StringBuilder();
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            String text = plain(String.valueOf(cause.getMessage()));
            if (message.indexOf(text) < 0) {
                message.append(message.isEmpty() ? "" : ": ").append(text);
            }
        }
        return new UserException(
                "TornadoVM failed " + where + "on " + device + ": " + message
                        + " (try --engine cpu; --verbose shows more)",
                e);
    }

    /** What a driver refused, from the lines of TornadoVM's native libraries. */
    static UserException ofDriver(String device, String where, List<String> lines) {
        String calls =
                lines.stream().map(Failures::refused).distinct().limit(CITED).collect(Collectors.joining(", "));
        return new UserException("the driver failed " + where + "on " + device + ": " + calls
                + "; results would be wrong (try another --device, or --engine cpu)");
    }

    /** As in {@code clEnqueueNDRangeKernel returned -54 (CL_INVALID_WORK_GROUP_SIZE)}. */
    private static String refused(String line) {
        String words =
                line.replaceFirst("^\\[[^\\]]*\\]?\\s*(ERROR\\s*:)?\\s*", "").replace(" -> Returned: ", " returned ");
        Matcher code = Pattern.compile("cl\\w+ returned (-\\d+)").matcher(words);
        return code.matches() && OPENCL.containsKey(code.group(1))
                ? words + " (CL_" + OPENCL.get(code.group(1)) + ")"
                : words;
    }

    /** Why TornadoVM did not start. */
    static UserException atStart(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        boolean misfit = root instanceof LinkageError
                && !(root instanceof ExceptionInInitializerError || root instanceof UnsatisfiedLinkError);
        if (misfit) {
            return new UserException(
                    "the TornadoVM SDK does not fit Java " + Runtime.version().feature()
                            + ", or its flags do not fit it (" + root
                            + "); start with ./whirlwind, or take another SDK (docs/tornadovm.md says which)",
                    e);
        }
        String reason = root.getMessage() == null ? "" : plain(root.getMessage());
        Matcher backend = Pattern.compile("(CUDA|OpenCL|Metal)\\w* (JNI Library not found|platform is not correct)")
                .matcher(reason);
        if (backend.find()) {
            return new UserException(
                    "TornadoVM does not start, as its back end " + backend.group(1)
                            + " does not (" + reason
                            + "): its driver or a library in the SDK's lib is missing; install that, or"
                            + " an SDK without this back end",
                    e);
        }
        return new UserException(
                "TornadoVM finds no device" + (reason.isEmpty() ? "" : " (" + reason + ")")
                        + "; install a driver (on Debian pocl-opencl-icd makes the CPU an OpenCL device)",
                e);
    }

    /** Without colours, stack trace, line ends, and what is not so: nothing is run as plain Java. */
    private static String plain(String message) {
        String text = message.replaceAll("\u001B\\[[0-9;]*m", "");
        int trace = text.indexOf("Stacktrace:");
        return (trace < 0 ? text : text.substring(0, trace))
                .replaceAll(
                        "\\[WARNING\\]|Bailout is disabled. Reason:|\\. Deoptimizing to sequential execution\\.", "")
                .strip()
                .replaceAll("\\s+", " ");
    }
}
