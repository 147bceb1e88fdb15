package dev.whirlwind.cli;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** Options of a run in a YAML file, by the names they have on the command line; dashes may be underscores. */
final class ConfigFile {
    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();
    private static final Set<String> LISTS = Set.of("data", "valid", "replay");

    private ConfigFile() {}

    static Map<String, Object> read(Path file) {
        JsonNode tree;
        try {
            tree = YAML.readTree(Files.readString(file));
        } catch (NoSuchFileException e) {
            throw new UserException(file + ": no such file; name a YAML file of options", e);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + "); name a YAML file of options", e);
        } catch (JacksonException e) {
            throw new UserException(
                    file + ": line " + Math.max(1, e.getLocation().getLineNr()) + " is not valid YAML ("
                            + Reason.withoutPlace(e) + ")",
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

    /** Under its name the file is there whole or not at all. */
    static void write(Path file, Map<String, Object> options) {
        Path partial = file.resolveSibling(file.getFileName() + ".partial");
        try {
            Files.writeString(partial, YAML.writeValueAsString(options));
            Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            Models.delete(partial);
            throw new UserException(
                    file + ": cannot be written (" + Reason.of(e) + "); free some space or choose another --out", e);
        }
    }
}
