package dev.whirlwind.tornado;

import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * What went between host and device.
 *
 * @param launches of kernels
 * @param synchronisations how often the host waited: executions of task graphs, and downloads
 * @param uploads arrays that were sent
 * @param uploadedBytes of these arrays
 */
public record Traffic(long launches, long synchronisations, long uploads, long uploadedBytes) {
    static final Traffic NONE = new Traffic(0, 0, 0, 0);

    Traffic afterRun(Stage stage) {
        long bytes = 0;
        for (Object input : stage.inputs()) {
            bytes += ((TornadoNativeArray) input).getSegment().byteSize();
        }
        return plus(stage.calls().size(), 1, stage.inputs().size(), bytes);
    }

    Traffic afterDownload() {
        return plus(0, 1, 0, 0);
    }

    /** See {@link Residency#upload}: each part is a graph with a copying kernel, the part, and where it goes. */
    Traffic afterUpload(long floats) {
        long parts = Math.ceilDiv(floats, Residency.STAGING);
        return plus(parts, parts, 2 * parts, Float.BYTES * parts * Residency.STAGING);
    }

    private Traffic plus(long moreLaunches, long moreSynchronisations, long moreUploads, long moreBytes) {
        return new Traffic(
                launches + moreLaunches,
                synchronisations + moreSynchronisations,
                uploads + moreUploads,
                uploadedBytes + moreBytes);
    }
}
