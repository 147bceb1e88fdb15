package dev.whirlwind.tornado;

/**
 * A device that TornadoVM found.
 *
 * @param id what {@code --device} takes: back end and number, as in {@code 0:0}
 * @param kind {@code cpu}, {@code gpu} or {@code accelerator}
 * @param memory bytes of its memory
 */
public record DeviceInfo(String id, String backend, String platform, String name, String kind, long memory) {
    public boolean isGpu() {
        return kind.equals("gpu");
    }
}
