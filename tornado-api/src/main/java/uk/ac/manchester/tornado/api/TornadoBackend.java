package uk.ac.manchester.tornado.api;

import uk.ac.manchester.tornado.api.common.TornadoDevice;

/** A driver that knows how to compile for a kind of devices. */
public interface TornadoBackend {
    int getNumDevices();

    TornadoDevice getDevice(int index);

    String getName();
}
