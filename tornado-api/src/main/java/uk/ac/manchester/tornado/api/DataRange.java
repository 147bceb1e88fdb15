package uk.ac.manchester.tornado.api;

import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/** A part of an array, in elements. */
public class DataRange {
    public DataRange(TornadoNativeArray array) {
        throw NoRuntime.error();
    }

    public DataRange withOffset(long offset) {
        throw NoRuntime.error();
    }

    public DataRange withSize(long size) {
        throw NoRuntime.error();
    }
}
