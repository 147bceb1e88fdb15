package dev.whirlwind.cli.terminal;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * {@code sun.misc.Signal} of the module jdk.unsupported: there is no other way to handle a signal, and none to silence
 * what javac says of its use by name.
 */
final class Signals {
    private Signals() {}

    /**
     * Lets a handler run, on a thread of its own, whenever a signal comes.
     *
     * @return what handled it before; null where the system has no such signal, or the JVM was told to leave it alone
     */
    static Object handle(String signal, Runnable handler) {
        try {
            Class<?> type = Class.forName("sun.misc.SignalHandler");
            MethodHandle run = MethodHandles.lookup()
                    .findVirtual(Runnable.class, "run", MethodType.methodType(void.class))
                    .bindTo(handler);
            return install(
                    signal,
                    MethodHandleProxies.asInterfaceInstance(
                            type, MethodHandles.dropArguments(run, 0, Class.forName("sun.misc.Signal"))));
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }

    /** @param handler what {@link #handle} gave */
    static void restore(String signal, Object handler) {
        try {
            if (handler != null) {
                install(signal, handler);
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("it could be handled before", e);
        }
    }

    private static Object install(String signal, Object handler) throws ReflectiveOperationException {
        Class<?> type = Class.forName("sun.misc.Signal");
        return type.getMethod("handle", type, Class.forName("sun.misc.SignalHandler"))
                .invoke(null, type.getConstructor(String.class).newInstance(signal), handler);
    }
}
