package dev.whirlwind.model.pytorch;

import dev.whirlwind.model.safetensors.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a pickle may name: the functions and classes of which {@code torch.save} makes a state dict. None of Python's own
 * is ever called; {@link #call} does what they would do to data.
 */
enum Global {
    ORDERED_DICT("collections.OrderedDict"),
    SIZE("torch.Size"),
    TENSOR("torch._utils._rebuild_tensor_v2"),
    PARAMETER("torch._utils._rebuild_parameter"),
    PARAMETER_WITH_STATE("torch._utils._rebuild_parameter_with_state"),
    HALF("torch.HalfStorage", DType.F16),
    BFLOAT16("torch.BFloat16Storage", DType.BF16),
    FLOAT("torch.FloatStorage", DType.F32),
    DOUBLE("torch.DoubleStorage", DType.F64),
    BOOL("torch.BoolStorage", DType.BOOL),
    BYTE("torch.ByteStorage", DType.U8),
    CHAR("torch.CharStorage", DType.I8),
    SHORT("torch.ShortStorage", DType.I16),
    INT("torch.IntStorage", DType.I32),
    LONG("torch.LongStorage", DType.I64);

    private static final Map<String, Global> BY_NAME =
            Stream.of(values()).collect(Collectors.toMap(global -> global.name, global -> global));

    private final String name;

    /** The element type of a class of storages; null for everything else. */
    private final DType dtype;

    Global(String name) {
        this(name, null);
    }

    Global(String name, DType dtype) {
        this.name = name;
        this.dtype = dtype;
    }

    /** Null if it is not one of these. */
    static Global of(String name) {
        return BY_NAME.get(name);
    }

    /**
     * What Python's call would make of these arguments.
     *
     * @throws IllegalArgumentException if torch never calls it with such
     */
    Object call(List<?> arguments) {
        int count = arguments.size();
        Object first = count == 0 ? null : arguments.getFirst();
        if (this == ORDERED_DICT && count == 0) {
            return new LinkedHashMap<Object, Object>();
        }
        if (this == SIZE && count == 1) {
            return numbers(first);
        }
        // Requires gradients, their hooks, and in newer files marks of a conjugated or negated view.
        if (this == TENSOR
                && (count == 6 || (count == 7 && isNothing(arguments.get(6))))
                && first instanceof Storage storage
                && arguments.get(1) instanceof Long offset) {
            return new StridedTensor(storage, offset, numbers(arguments.get(2)), numbers(arguments.get(3)));
        }
        if ((this == PARAMETER || this == PARAMETER_WITH_STATE) && count >= 3 && first instanceof StridedTensor) {
            return first;
        }
        throw new IllegalArgumentException("it calls " + name + " with other arguments than torch does");
    }

    /**
     * The storage that a persistent id stands for: ('storage', class, key, device, elements), in old files with a None
     * for the storage that this one is a part of.
     *
     * @throws IllegalArgumentException if it is none of torch's
     */
    static Storage storage(Object id) {
        if (id instanceof List<?> fields
                && (fields.size() == 5 || (fields.size() == 6 && isNothing(fields.get(5))))
                && "storage".equals(fields.get(0))
                && fields.get(1) instanceof Global type
                && type.dtype != null
                && fields.get(2) instanceof String key
                && fields.get(4) instanceof Long elements
                && elements >= 0) {
            return new Storage(type.dtype, key, elements);
        }
        throw new IllegalArgumentException("it refers to something other than a storage of a tensor");
    }

    private static boolean isNothing(Object value) {
        return Unpickler.NONE.equals(value) || (value instanceof Map<?, ?> map && map.isEmpty());
    }

    private static List<Long> numbers(Object value) {
        if (value instanceof List<?> list && list.stream().allMatch(Long.class::isInstance)) {
            return list.stream().map(Long.class::cast).toList();
        }
        throw new IllegalArgumentException("it has a tensor with sizes that are not numbers");
    }
}
