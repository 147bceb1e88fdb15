package dev.whirlwind.cli.shared;

import picocli.CommandLine.Option;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;

/** {@code --json}: exactly one JSON object on standard output, with snake_case names. */
public final class Output {
    private static final class Holder {
        static final JsonMapper MAPPER = JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .build();
    }

    @Option(names = "--json", description = "Print the results as one JSON object.")
    private boolean json;

    public boolean isJson() {
        return json;
    }

    public static String json(Object value) {
        return Holder.MAPPER.writeValueAsString(value);
    }
}
