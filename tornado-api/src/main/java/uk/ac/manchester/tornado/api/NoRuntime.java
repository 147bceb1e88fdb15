package uk.ac.manchester.tornado.api;

/** These classes hold what the API looks like; a TornadoVM SDK brings what it does. */
final class NoRuntime {
    private NoRuntime() {}

    static UnsupportedOperationException error() {
        return new UnsupportedOperationException(
                "this needs a TornadoVM SDK on the module path: set TORNADOVM_HOME, and start with ./whirlwind");
    }
}
