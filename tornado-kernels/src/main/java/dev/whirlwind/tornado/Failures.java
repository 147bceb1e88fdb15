package dev.whirlwind.tornado;

import dev.whirlwind.model.UserException;

/** TornadoVM's errors in one line. */
final class Failures {
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
                    "the TornadoVM SDK does not fit Java " + Runtime.version().feature() + " (" + root
                            + "); install one whose name has jdk"
                            + Runtime.version().feature(),
                    e);
        }
        String reason = root.getMessage() == null ? "" : " (" + plain(root.getMessage()) + ")";
        return new UserException(
                "TornadoVM finds no device" + reason
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
