package dev.whirlwind.model.safetensors;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.weights.Errors;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/**
 * A safetensors header: JSON that maps each tensor's name to its type, shape and bytes, and {@code __metadata__} to
 * strings. The format: https://huggingface.co/docs/safetensors.
 *
 * @param metadata in the file's order
 * @param tensors in the order of their bytes, which they cover without overlap or hole
 */
record Header(Map<String, String> metadata, List<TensorInfo> tensors) {
    static final int LARGEST = 100_000_000;
    static final String METADATA = "__metadata__";

    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    /**
     * Reads and checks a header.
     *
     * @param dataBytes what the file holds after the header
     * @throws UserException if anything about it is wrong
     */
    static Header parse(Path file, ByteBuffer header, long dataBytes) {
        if (header.get(0) != '{') {
            throw Errors.damaged(file, "its header does not begin with '{'");
        }
        Header parsed;
        try {
            parsed = new Parser(
                            file,
                            StandardCharsets.UTF_8.newDecoder().decode(header).toString())
                    .parse();
        } catch (CharacterCodingException e) {
            throw Errors.damaged(file, "its header is not valid UTF-8");
        }
        parsed.checkCover(file, dataBytes);
        return parsed;
    }

    /** Tensors that leave bytes unused, or share them, can hide data or betray a broken writer: none is accepted. */
    private void checkCover(Path file, long dataBytes) {
        long expected = 0;
        String before = null;
        for (TensorInfo tensor : tensors) {
            if (tensor.begin() != expected) {
                String problem = before == null
                        ? "should start at byte 0 of the data, but starts at " + tensor.begin()
                        : tensor.begin() < expected
                                ? "overlaps " + Errors.tensor(before)
                                : "leaves a hole of " + (tensor.begin() - expected) + " bytes after "
                                        + Errors.tensor(before);
                throw Errors.damaged(file, Errors.tensor(tensor.name()) + " " + problem);
            }
            expected = tensor.end();
            before = tensor.name();
        }
        if (expected > dataBytes) {
            throw Errors.damaged(
                    file, "its tensors need " + expected + " bytes of data, but the file holds only " + dataBytes);
        }
        if (expected < dataBytes) {
            throw Errors.damaged(
                    file, (dataBytes - expected) + " bytes follow the last tensor that belong to no tensor");
        }
    }

    /** One pass over the JSON, which has just three levels. */
    private record Parser(Path file, String json) {
        Header parse() {
            Map<String, String> metadata = Map.of();
            List<TensorInfo> tensors = new ArrayList<>();
            try (JsonParser in = JSON.createParser(ObjectReadContext.empty(), json)) {
                require(in.nextToken() == JsonToken.START_OBJECT, "its header", "is not a JSON object");
                while (in.nextToken() == JsonToken.PROPERTY_NAME) {
                    String name = in.currentName();
                    in.nextToken();
                    if (name.equals(METADATA)) {
                        metadata = metadata(in);
                    } else {
                        tensors.add(tensor(in, name));
                    }
                }
                require(in.nextToken() == null, "its header", "goes on after its end");
            } catch (JacksonException e) {
                throw Errors.damaged(file, "its header is not valid JSON (" + Reason.of(e) + ")");
            }
            tensors.sort(Comparator.comparingLong(TensorInfo::begin).thenComparingLong(TensorInfo::end));
            return new Header(Collections.unmodifiableMap(metadata), Collections.unmodifiableList(tensors));
        }

        private Map<String, String> metadata(JsonParser in) {
            Map<String, String> metadata = new LinkedHashMap<>();
            if (in.currentToken() == JsonToken.VALUE_NULL) {
                // As none at all, for the format's own library too.
                return metadata;
            }
            require(in.currentToken() == JsonToken.START_OBJECT, METADATA, "is not a JSON object");
            while (in.nextToken() == JsonToken.PROPERTY_NAME) {
                String key = in.currentName();
                require(
                        in.nextToken() == JsonToken.VALUE_STRING,
                        METADATA,
                        "gives " + Errors.quote(key) + " a value that is not a string");
                metadata.put(key, in.getString());
            }
            return metadata;
        }

        private TensorInfo tensor(JsonParser in, String name) {
            String place = Errors.tensor(name);
            require(StandardCharsets.UTF_8.newEncoder().canEncode(name), place, "has a name that is not valid Unicode");
            require(in.currentToken() == JsonToken.START_OBJECT, place, "is not described by a JSON object");
            DType dtype = null;
            List<Long> shape = null;
            List<Long> offsets = null;
            while (in.nextToken() == JsonToken.PROPERTY_NAME) {
                String field = in.currentName();
                in.nextToken();
                switch (field) {
                    case "dtype" -> dtype = dtype(in, place);
                    case "shape" -> shape = numbers(in, place, field);
                    case "data_offsets" -> offsets = numbers(in, place, field);
                    default -> throw problem(place, "has an unknown field " + Errors.quote(field));
                }
            }
            require(dtype != null, place, "has no dtype");
            require(shape != null, place, "has no shape");
            require(offsets != null, place, "has no data_offsets");
            require(offsets.size() == 2, place, "has " + offsets.size() + " data_offsets instead of 2");
            TensorInfo tensor = new TensorInfo(name, dtype, shape, offsets.get(0), offsets.get(1));
            checkSize(tensor, place);
            return tensor;
        }

        private DType dtype(JsonParser in, String place) {
            require(in.currentToken() == JsonToken.VALUE_STRING, place, "has a dtype that is not a string");
            try {
                return DType.valueOf(in.getString());
            } catch (IllegalArgumentException e) {
                throw new UserException(file + ": " + place + " has the unknown dtype " + Errors.quote(in.getString())
                        + "; the file is damaged, or newer than this program: convert it to F32, F16 or BF16");
            }
        }

        private List<Long> numbers(JsonParser in, String place, String field) {
            List<Long> numbers = new ArrayList<>();
            require(in.currentToken() == JsonToken.START_ARRAY, place, "has a " + field + " that is not an array");
            while (in.nextToken() != JsonToken.END_ARRAY) {
                require(
                        in.currentToken() == JsonToken.VALUE_NUMBER_INT,
                        place,
                        "has something other than whole numbers in its " + field);
                require(
                        in.getNumberType() != JsonParser.NumberType.BIG_INTEGER,
                        place,
                        "has a number in its " + field + " that is too large");
                require(in.getLongValue() >= 0, place, "has a negative number in its " + field);
                numbers.add(in.getLongValue());
            }
            return numbers;
        }

        private void checkSize(TensorInfo tensor, String place) {
            require(
                    tensor.begin() <= tensor.end(),
                    place,
                    "ends at byte " + tensor.end() + ", before it begins at " + tensor.begin());
            long bits;
            try {
                bits = Math.multiplyExact(
                        tensor.elements(), (long) tensor.dtype().bits());
            } catch (ArithmeticException e) {
                throw problem(place, "has a shape too large for any file: " + Errors.shape(tensor.shape()));
            }
            String description = tensor.dtype() + " " + Errors.shape(tensor.shape());
            require(bits % 8 == 0, place, "is " + description + ", which does not fill whole bytes");
            long bytes = tensor.end() - tensor.begin();
            require(
                    bits / 8 == bytes,
                    place,
                    "is " + description + ", which needs " + bits / 8 + " bytes, but has " + bytes);
        }

        private void require(boolean condition, String place, String problem) {
            if (!condition) {
                throw problem(place, problem);
            }
        }

        private UserException problem(String place, String problem) {
            return Errors.damaged(file, place + " " + problem);
        }
    }
}
