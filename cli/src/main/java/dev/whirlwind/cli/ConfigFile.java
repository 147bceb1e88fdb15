package dev.whirlwind.cli;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** Options of a run in a YAML file, by the names they have on the command line; dashes may be underscores. */
final class ConfigFile {
    private static final YAMLMapper YAML = new YAMLMapper();
    private static final Set<String> LISTS = Set.of("data", "valid", "replay");

    private ConfigFile() {}

    static Map<String, Object> read(Path file) {
        JsonNode tree;
        try {
            tree = YAML.readTree(Files.readString(file));
        } catch (NoSuchFileException e) {
            throw new UserException(file + ": no such file; name a YAML file of options", e);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read as text (" + e.getMessage() + ")", e);
        } catch (JacksonException e) {
            throw new UserException(
                    file + ": line " + Math.max(1, e.getLocation().getLineNr()) + " is not valid YAML ("
                            + e.getOriginalMessage() + ")",
                    e);
        }
        if (!tree.isObject()) {
            throw new UserException(file + ": holds no options; write lines such as \"lr: 1e-4\"");
        }
        Map<String, Object> options = new LinkedHashMap<>();
        tree.properties().forEach(property -> {
            String name = property.getKey().replace('-', '_');
            JsonNode value = property.getValue();
            options.put(name, LISTS.contains(name) && value.isString() ? List.of(value.stringValue()) : value);
        });
        return options;
    }

    static void write(Path file, Map<String, Object> options) {
        try {
            Files.writeString(file, YAML.writeValueAsString(options));
        } catch (IOException e) {
            throw new UserException(file + ": cannot be written (" + e.getMessage() + ")", e);
        }
    }
}
