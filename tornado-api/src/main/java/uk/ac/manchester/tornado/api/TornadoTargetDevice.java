package uk.ac.manchester.tornado.api;

/** A device as its driver describes it; sizes in bytes. */
public interface TornadoTargetDevice {
    String getDeviceName();

    long getDeviceGlobalMemorySize();

    long getDeviceMaxAllocationSize();

    int getDeviceMaxComputeUnits();

    String getDeviceInfo();
}
