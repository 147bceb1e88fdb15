package dev.whirlwind.training.config;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.EnumNamingStrategies;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.json.JsonMapper;

/** The table of all options, read once from the records' components that declare them. */
public final class Options {
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enumNamingStrategy(EnumNamingStrategies.LOWER_CAMEL_CASE)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .disable(EnumFeature.READ_ENUMS_USING_TO_STRING)
            .build();

    private static final SequencedMap<String, Entry> ENTRIES = sections()
            .flatMap(section -> Arrays.stream(section.getType().getRecordComponents())
                    .map(component -> new Entry(section, component)))
            .collect(Collectors.toMap(
                    Entry::name,
                    entry -> entry,
                    (one, other) -> {
                        throw new IllegalStateException(
                                one.name() + " is in " + one.section() + " and " + other.section());
                    },
                    LinkedHashMap::new));

    private Options() {}

    /** One option. */
    public static final class Entry {
        private final RecordComponent section;
        private final RecordComponent component;
        private final Option declared;

        private Entry(RecordComponent section, RecordComponent component) {
            this.section = section;
            this.component = component;
            declared = component.getAnnotation(Option.class);
        }

        /** In snake_case. */
        public String name() {
            return component.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
        }

        /** What it is about, such as "schedule". */
        public String section() {
            return section.getName();
        }

        public Class<?> type() {
            return component.getType();
        }

        /** What it is, and what it needs beside, unless that is there by default. */
        public String help() {
            boolean met = Need.met(needs(), name -> ENTRIES.get(name).defaultValue());
            return declared.help() + (met ? "" : " Only with " + Need.words(needs(), Options::flag) + ".");
        }

        /** What it has an effect beside. */
        public List<Need> needs() {
            return Need.of(declared.needs());
        }

        /** As it would stand in YAML; empty for none. */
        public String defaultText() {
            return declared.value();
        }

        /** What stands for its value in the help. */
        public String label() {
            boolean real = type() == double.class || type() == Double.class;
            return !declared.label().isEmpty()
                    ? declared.label()
                    : declared.range() == Range.PATH ? "PATH" : type().isEnum() ? "WHAT" : real ? "X" : "N";
        }

        /** Whether it may change while a run is under way. */
        public boolean isFree() {
            return declared.free();
        }

        Object defaultValue() {
            return declared.value().isEmpty() ? absent() : read(declared.value());
        }

        private Object absent() {
            return type() == List.class ? List.of() : null;
        }

        /** The value that was given as one of Java, text or JSON. */
        Object read(Object given) {
            Object value = MAPPER.valueToTree(given).isNull() ? absent() : convert(given);
            if (value == null && !declared.value().isEmpty()) {
                throw wrong(null, null);
            }
            declared.range().check(name(), value);
            return value;
        }

        private Object convert(Object given) {
            JsonNode json = MAPPER.valueToTree(given);
            if (type().isEnum() && json.isString()) {
                return Arrays.stream(type().getEnumConstants())
                        .filter(value -> Need.plain(value).equals(Need.plain(json.stringValue())))
                        .findFirst()
                        .orElseThrow(() -> wrong(given, null));
            }
            try {
                boolean one = type() == List.class && json.isString();
                return MAPPER.convertValue(
                        one ? List.of(given) : given,
                        MAPPER.getTypeFactory().constructType(component.getGenericType()));
            } catch (JacksonException e) {
                throw wrong(given, e);
            }
        }

        private UserException wrong(Object given, Exception e) {
            return new UserException(
                    name() + " is " + Reason.cited(MAPPER.valueToTree(given)) + "; it must be " + kind(), e);
        }

        /** What values are, in words. */
        private String kind() {
            if (type().isEnum()) {
                return choices();
            }
            return switch (type().getSimpleName()) {
                case "boolean" -> "true or false";
                case "int", "Integer" -> "a whole number below 2^31";
                case "long", "Long" -> "a whole number";
                case "double", "Double" -> "a number";
                case "List" -> "a text, or a list of texts";
                default -> "a text";
            };
        }

        /** The names of an enum's values, in words. */
        public String choices() {
            List<String> names = Arrays.stream(type().getEnumConstants())
                    .map(Options::plain)
                    .map(Object::toString)
                    .toList();
            return String.join(", ", names.subList(0, names.size() - 1)) + " or " + names.getLast();
        }

        private Object of(TrainConfig config) {
            return get(component, get(section, config));
        }
    }

    /** By name, in the order of their declaration. */
    public static SequencedMap<String, Entry> all() {
        return ENTRIES;
    }

    /** The option that goes by a name, ours or one of {@link Aliases}. */
    public static Optional<Entry> find(String name) {
        return Optional.ofNullable(ENTRIES.get(Aliases.option(name)));
    }

    /** Names of the sections, in the order of their declaration. */
    public static List<String> sectionNames() {
        return sections().map(RecordComponent::getName).toList();
    }

    private static Stream<RecordComponent> sections() {
        return Arrays.stream(TrainConfig.class.getRecordComponents());
    }

    static TrainConfig defaults() {
        Map<String, Object> values = new LinkedHashMap<>();
        ENTRIES.forEach((name, entry) -> values.put(name, entry.defaultValue()));
        return build(values);
    }

    /** The typed values of a configuration by name. */
    static SequencedMap<String, Object> values(TrainConfig config) {
        SequencedMap<String, Object> values = new LinkedHashMap<>();
        ENTRIES.forEach((name, entry) -> values.put(name, entry.of(config)));
        return values;
    }

    /** As it stands on the command line. */
    public static String flag(String name) {
        return "--" + name.replace('_', '-');
    }

    /** As it stands in YAML and JSON. */
    static Object plain(Object value) {
        return MAPPER.convertValue(value, Object.class);
    }

    static TrainConfig build(Map<String, Object> values) {
        Object[] sections = sections()
                .map(section -> create(
                        section.getType(),
                        ENTRIES.values().stream()
                                .filter(entry -> entry.section().equals(section.getName()))
                                .map(entry -> values.get(entry.name()))
                                .toArray()))
                .toArray();
        return (TrainConfig) create(TrainConfig.class, sections);
    }

    private static Object create(Class<?> type, Object[] arguments) {
        try {
            Class<?>[] types = Arrays.stream(type.getRecordComponents())
                    .map(RecordComponent::getType)
                    .toArray(Class[]::new);
            return type.getDeclaredConstructor(types).newInstance(arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object get(RecordComponent component, Object record) {
        try {
            return component.getAccessor().invoke(record);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
