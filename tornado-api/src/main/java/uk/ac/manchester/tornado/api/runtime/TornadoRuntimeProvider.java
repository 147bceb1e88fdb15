package uk.ac.manchester.tornado.api.runtime;

import uk.ac.manchester.tornado.api.TornadoRuntime;

/** Finds the runtime. */
public class TornadoRuntimeProvider {
    @SuppressWarnings("DoNotCallSuggester") // the SDK's own does not throw
    public static TornadoRuntime getTornadoRuntime() {
        throw new UnsupportedOperationException(
                "this needs a TornadoVM SDK on the module path: set TORNADOVM_HOME, and start with ./whirlwind");
    }
}
