package dev.whirlwind.model.pytorch;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.weights.Errors;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the pickles of {@code torch.save}, protocols 2 to 5, and no others. A pickle is a program for a machine with a
 * stack, one of whose instructions calls any function of Python; this machine knows those of {@link Global} only, and
 * data: dicts, lists (tuples too), strings, numbers. Nothing recurses, and as instructions are limited and strings no
 * longer than the file, so are time and memory. The instructions are described in Python's pickletools.py.
 */
final class Unpickler {
    /** Python's None, which has a place on the stack. */
    static final Object NONE = new Object();

    /** A tensor takes about 45, and the largest models that can be trained here have a few thousand tensors. */
    private static final int MOST_INSTRUCTIONS = 1 << 20;

    private static final int LONGEST_STRING = 1 << 16;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble BIG_DOUBLE =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final Path path;
    private final MemorySegment bytes;
    private long position;
    private List<Object> stack;
    private List<Integer> marks;
    private Map<Integer, Object> memo;
    private final Map<String, Storage> storages = new LinkedHashMap<>();

    /** @param path for errors */
    Unpickler(Path path, MemorySegment bytes) {
        this.path = path;
        this.bytes = bytes;
    }

    /** Those that were referred to so far. */
    Collection<Storage> storages() {
        return storages.values();
    }

    /** The byte after what was read. */
    long position() {
        return position;
    }

    /**
     * Reads one pickle; another may follow it.
     *
     * @throws UserException if it is damaged, or wants to do more than to describe tensors
     */
    Object read() {
        stack = new ArrayList<>();
        marks = new ArrayList<>();
        memo = new HashMap<>();
        try {
            for (int i = 0; i < MOST_INSTRUCTIONS; i++) {
                int instruction = uint8();
                if (instruction == '.') {
                    return pop();
                }
                execute(instruction);
            }
        } catch (IllegalArgumentException e) {
            throw Errors.damaged(path, e.getMessage());
        }
        throw new UserException(path + ": its pickle has more than " + MOST_INSTRUCTIONS
                + " instructions, which no file of weights has; check that it is the right one");
    }

    private void execute(int instruction) {
        switch (instruction) {
            case 0x80 -> require(uint8() <= 5, "it has a pickle of a protocol after 5");
            case 0x95 -> skip(Long.BYTES); // FRAME: how many bytes may be read ahead
            case '(' -> marks.add(stack.size());
            case '}' -> push(new LinkedHashMap<>());
            case ']' -> push(new ArrayList<>());
            case ')' -> push(List.of());
            case 'N' -> push(NONE);
            case 0x88 -> push(true);
            case 0x89 -> push(false);
            case 'K' -> push((long) uint8());
            case 'M' -> push(Short.toUnsignedLong(bytes.get(SHORT, skip(Short.BYTES))));
            case 'J' -> push((long) bytes.get(INT, skip(Integer.BYTES)));
            case 0x8a -> push(number(uint8()));
            case 'G' -> push(bytes.get(BIG_DOUBLE, skip(Double.BYTES)));
            case 0x8c, 'U' -> push(string(uint8()));
            case 'X', 'T' -> push(string(Integer.toUnsignedLong(bytes.get(INT, skip(Integer.BYTES)))));
            case 0x8d -> push(string(bytes.get(LONG, skip(Long.BYTES))));
            case 'q' -> memo.put(uint8(), top());
            case 'r' -> memo.put(bytes.get(INT, skip(Integer.BYTES)), top());
            case 0x94 -> memo.put(memo.size(), top());
            case 'h' -> push(remembered(uint8()));
            case 'j' -> push(remembered(bytes.get(INT, skip(Integer.BYTES))));
            case 't' -> push(popToMark());
            case 0x85, 0x86, 0x87 -> push(pop(instruction - 0x84));
            case 'a' -> append(pop(1));
            case 'e' -> append(popToMark());
            case 's' -> put(pop(2));
            case 'u' -> put(popToMark());
            case 'c' -> push(global(line(), line()));
            case 0x93 -> {
                List<?> names = pop(2);
                require(
                        names.get(0) instanceof String && names.get(1) instanceof String,
                        "its pickle names a function by something other than strings");
                push(global((String) names.get(0), (String) names.get(1)));
            }
            case 'R' -> {
                List<?> call = pop(2);
                require(
                        call.get(0) instanceof Global && call.get(1) instanceof List<?>,
                        "its pickle calls something that is not a function");
                push(((Global) call.get(0)).call((List<?>) call.get(1)));
            }
            case 'Q' -> push(kept(Global.storage(pop())));
            case 'b' -> { // attributes, such as _metadata of a state dict
                pop();
                require(top() instanceof Map, "its pickle gives attributes to something other than a dict");
            }
            case 'i' -> { // names what it calls, as GLOBAL does, but calls it at once
                global(line(), line());
                throw unknown(instruction);
            }
            default -> throw unknown(instruction);
        }
    }

    private IllegalArgumentException unknown(int instruction) {
        return new IllegalArgumentException("its pickle has the instruction 0x" + Integer.toHexString(instruction)
                + ", which torch.save never writes");
    }

    /** A storage that several tensors share is said anew for each. */
    private Storage kept(Storage storage) {
        Storage before = storages.putIfAbsent(storage.key(), storage);
        require(
                before == null || before.equals(storage),
                "its pickle says two things of the storage " + Errors.quote(storage.key()));
        return storage;
    }

    /** Here it is decided what a file may do. */
    private Global global(String module, String name) {
        Global global = Global.of(module + "." + name);
        if (global == null) {
            throw new UserException(path + ": wants to call " + Reason.cited(module + "." + name)
                    + ", which a file of weights has no need to; nothing of it was run: take these weights as"
                    + " safetensors, or from where you trust");
        }
        return global;
    }

    private Object remembered(int index) {
        Object value = memo.get(index);
        require(value != null, "its pickle refers to something that was not there before");
        return value;
    }

    private void append(List<Object> values) {
        require(top() instanceof ArrayList<?>, "its pickle appends to something other than a list");
        @SuppressWarnings("unchecked")
        List<Object> list = (List<Object>) top();
        list.addAll(values);
    }

    private void put(List<Object> keysAndValues) {
        require(
                keysAndValues.size() % 2 == 0 && top() instanceof Map,
                "its pickle puts something other than pairs into a dict");
        @SuppressWarnings("unchecked")
        Map<Object, Object> map = (Map<Object, Object>) top();
        for (int i = 0; i < keysAndValues.size(); i += 2) {
            Object key = keysAndValues.get(i);
            // Others could hold each other, and be hashed for ever.
            require(key instanceof String || key instanceof Long, "its pickle has a dict with keys that are not names");
            map.put(key, keysAndValues.get(i + 1));
        }
    }

    private void push(Object value) {
        stack.add(value);
    }

    private Object top() {
        int fence = marks.isEmpty() ? 0 : marks.getLast();
        require(stack.size() > fence, "its pickle takes more than there is");
        return stack.getLast();
    }

    private Object pop() {
        top();
        return stack.removeLast();
    }

    private List<Object> pop(int count) {
        int fence = marks.isEmpty() ? 0 : marks.getLast();
        require(stack.size() - fence >= count, "its pickle takes more than there is");
        return popFrom(stack.size() - count);
    }

    private List<Object> popToMark() {
        require(!marks.isEmpty(), "its pickle takes more than there is");
        return popFrom(marks.removeLast());
    }

    private List<Object> popFrom(int from) {
        List<Object> tail = stack.subList(from, stack.size());
        List<Object> values = List.copyOf(tail);
        tail.clear();
        return values;
    }

    /** Little-endian, two's complement; a BigInteger where it does not fit a Long. */
    private Object number(int length) {
        byte[] digits = array(length);
        byte[] bigEndian = new byte[length + 1];
        for (int i = 0; i < length; i++) {
            bigEndian[length - i] = digits[i];
        }
        bigEndian[0] = (byte) (length > 0 && digits[length - 1] < 0 ? -1 : 0);
        BigInteger number = new BigInteger(bigEndian);
        return number.bitLength() < Long.SIZE ? (Object) number.longValue() : number;
    }

    private String string(long length) {
        require(
                length >= 0 && length <= LONGEST_STRING,
                "its pickle has a string of " + Long.toUnsignedString(length) + " bytes, where names are shorter");
        return utf8(array(length));
    }

    /** Up to the end of the line. */
    private String line() {
        long start = position;
        while (uint8() != '\n') {
            require(position - start < LONGEST_STRING, "its pickle has a line that is too long for a name");
        }
        return utf8(bytes.asSlice(start, position - 1 - start).toArray(ValueLayout.JAVA_BYTE));
    }

    private static String utf8(byte[] text) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(text))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("its pickle has a string that is not UTF-8", e);
        }
    }

    private byte[] array(long length) {
        return bytes.asSlice(skip(length), length).toArray(ValueLayout.JAVA_BYTE);
    }

    private int uint8() {
        return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, skip(1)));
    }

    /** Goes on by some bytes, and says where they begin. */
    private long skip(long length) {
        require(length <= bytes.byteSize() - position, "its pickle ends too early");
        long start = position;
        position += length;
        return start;
    }

    private static void require(boolean condition, String problem) {
        if (!condition) {
            throw new IllegalArgumentException(problem);
        }
    }
}
