package dev.whirlwind.tornado;

import dev.whirlwind.model.Buffer;
import java.lang.foreign.MemorySegment;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** A buffer that kernels can take. */
record Memory(String name, FloatArray array) implements Buffer {
    @Override
    public long length() {
        return array.getSize();
    }

    @Override
    public MemorySegment segment() {
        return array.getSegment();
    }
}
