package dev.whirlwind.training.config;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * What an option has an effect beside: another option that is given ({@code "teacher"}), or that has a certain value
 * ({@code "schedule=wsd"}) or any other ({@code "schedule!=constant"}). Of several needs one will do.
 *
 * @param value null where any will do
 */
public record Need(String option, String value, boolean other) {
    /** Reads how needs are declared. */
    public static List<Need> of(String... declared) {
        return Arrays.stream(declared).map(Need::of).toList();
    }

    private static Need of(String declared) {
        int equals = declared.indexOf('=');
        if (equals < 0) {
            return new Need(declared, null, false);
        }
        boolean other = declared.charAt(equals - 1) == '!';
        return new Need(declared.substring(0, other ? equals - 1 : equals), declared.substring(equals + 1), other);
    }

    /**
     * Whether an option has an effect.
     *
     * @param values what options have been given, or have by default
     */
    public static boolean met(List<Need> needs, Function<String, Object> values) {
        return needs.isEmpty() || needs.stream().anyMatch(need -> need.isMet(values.apply(need.option)));
    }

    private boolean isMet(Object actual) {
        return value == null ? isGiven(actual) : plain(value).equals(plain(actual)) != other;
    }

    private static boolean isGiven(Object actual) {
        return switch (actual) {
            case null -> false;
            case Boolean is -> is;
            case Number number -> number.doubleValue() != 0;
            case Collection<?> several -> !several.isEmpty();
            case Object[] several -> several.length > 0;
            default -> true;
        };
    }

    /** Whatever its words are parted by, as inverseSqrt and INVERSE_SQRT. */
    static String plain(Object value) {
        return String.valueOf(value).replaceAll("[_-]", "").toLowerCase(Locale.ROOT);
    }

    /** Whether all that is wrong is another option's value: options of several schedules, say, may well be given at once. */
    public static boolean byValue(List<Need> needs) {
        return needs.stream().allMatch(need -> need.value != null);
    }

    /**
     * Needs in words, such as "--schedule wsd or infinite".
     *
     * @param name how an option is called there
     */
    public static String words(List<Need> needs, Function<String, String> name) {
        List<String> words = new ArrayList<>();
        for (int i = 0; i < needs.size(); i++) {
            Need need = needs.get(i);
            boolean same = i > 0 && needs.get(i - 1).option.equals(need.option);
            words.add(Stream.of(
                            need.other ? "another " : "",
                            same ? "" : name.apply(need.option),
                            need.value == null ? "" : (need.other ? " than " : same ? "" : " ") + need.value)
                    .reduce("", String::concat));
        }
        return words.size() == 1
                ? words.getFirst()
                : String.join(", ", words.subList(0, words.size() - 1)) + " or " + words.getLast();
    }
}
