package dev.whirlwind.tornado;

import java.lang.invoke.SerializedLambda;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * A kernel that was to be started.
 *
 * @param operation the call's name, as the profiler shows it
 * @param kernel the method's name, as drivers show it
 * @param position the first token's position when generating
 * @param ints the kernel's int arguments behind {@code at}, in order: sizes
 * @param arrays lengths of its arrays of ints but the cursor, in order
 */
record Launch(String operation, String kernel, Call.Grid grid, int position, List<Integer> ints, List<Integer> arrays) {
    /** What a call's lambda has captured tells the kernel and its arguments. */
    static Launch of(Call call, int position) {
        String kernel = "";
        List<Integer> ints = new ArrayList<>();
        List<Integer> arrays = new ArrayList<>();
        try {
            for (Field field : call.task().getClass().getDeclaredFields()) {
                field.setAccessible(true);
                Object captured = field.get(call.task());
                if (captured instanceof Integer size) {
                    ints.add(size);
                } else if (captured instanceof IntArray array) {
                    arrays.add(array.getSize());
                } else if (captured.getClass().isSynthetic()) {
                    Method writeReplace = captured.getClass().getDeclaredMethod("writeReplace");
                    writeReplace.setAccessible(true);
                    kernel = ((SerializedLambda) writeReplace.invoke(captured)).getImplMethodName();
                }
            }
        } catch (ReflectiveOperationException e) {
            throw new LinkageError(call.name(), e);
        }
        return new Launch(call.name(), kernel, call.grid(), position, ints.subList(1, ints.size()), arrays);
    }

    int size(int i) {
        return ints.get(i);
    }

    long items() {
        return (long) grid.x() * grid.y();
    }

    int groupItems() {
        return grid.groupX() * grid.groupY();
    }

    long groups() {
        return items() / groupItems();
    }
}
