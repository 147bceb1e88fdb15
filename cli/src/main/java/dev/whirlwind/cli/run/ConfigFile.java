package dev.whirlwind.cli.run;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.model.files.WholeFile;
import dev.whirlwind.training.config.Options;
import dev.whirlwind.training.config.TrainConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.NullNode;
import tools.jackson.dataformat.yaml.YAMLMapper;
import tools.jackson.dataformat.yaml.YAMLParser;

/**
 * Options of a run in a YAML file, by the names they have on the command line; dashes may be underscores. They may stand
 * under the names of their sections, or by themselves.
 */
final class ConfigFile {
    private static final YAMLMapper YAML = YAMLMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    /** The last comment, also where it is damaged or has come to stand amid others. */
    private static final Pattern CHECKSUM = Pattern.compile("(?m)^# checksum .*\\R?");

    private ConfigFile() {}

    static Map<String, Object> read(Path file) {
        JsonNode tree;
        try {
            byte[] bytes = WholeFile.read(file, WholeFile.SETTINGS);
            refuseAliases(file, bytes);
            tree = YAML.readTree(bytes);
        } catch (NoSuchFileException e) {
            throw new UserException(file + ": no such file; name a YAML file of options", e);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + "); name a YAML file of options", e);
        } catch (JacksonException e) {
            throw new UserException(
                    file + ": "
                            + (e.getLocation() == null
                                    ? ""
                                    : "line " + Math.max(1, e.getLocation().getLineNr()) + " ") + "is not valid YAML ("
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
            boolean section = Options.sectionNames().contains(name);
            if (section
                    && (value.isObject()
                            || (value.isNull() && Options.find(name).isEmpty()))) {
                value.properties().forEach(inner -> {
                    String option = inner.getKey().replace('-', '_');
                    requireSection(file, option, name);
                    add(file, options, option, inner.getValue());
                });
            } else {
                add(file, options, name, value);
            }
        });
        return options;
    }

    private static void add(Path file, Map<String, Object> options, String name, JsonNode value) {
        // YAML's other word for null, which its JSON schema has not.
        boolean none = value.isString() && value.stringValue().equals("~");
        if (options.put(name, none ? NullNode.instance : value) != null) {
            throw new UserException(file + ": gives " + name + " twice; keep one of them");
        }
    }

    /** An option under the heading of another section may be a slip of indentation. */
    private static void requireSection(Path file, String name, String section) {
        Options.find(name)
                .map(Options.Entry::section)
                .filter(own -> !own.equals(section))
                .ifPresent(own -> {
                    throw new UserException(file + ": " + name + " stands under " + section + ", but belongs to " + own
                            + "; move it there, or write it without a section");
                });
    }

    /** Jackson reads them as texts, so that {@code out: *name} would be the folder "name". */
    private static void refuseAliases(Path file, byte[] bytes) {
        try (YAMLParser parser = (YAMLParser) YAML.createParser(bytes)) {
            while (parser.nextToken() != null) {
                if (parser.isCurrentAlias()) {
                    throw new UserException(file + ": line "
                            + parser.currentTokenLocation().getLineNr() + " has the alias *"
                            + Reason.cited(parser.getString())
                            + ", and YAML's aliases are not read; write the value itself");
                }
            }
        }
    }

    /** Whether the text of a run's file is as the program wrote it. */
    enum Checksum {
        FITS,
        /** After an edit, or damage. */
        DIFFERS,
        /** As in files of older versions. */
        MISSING
    }

    /** The options of a run, and last a comment with a checksum of them. Under its name the file is there whole or not at all. */
    static void write(Path file, Map<String, Object> options) {
        replace(file, yaml(options));
    }

    static String yaml(Map<String, Object> options) {
        return YAML.writeValueAsString(options);
    }

    /** Options as a file to edit and give to --config: each with what it is; those without a value as comments. */
    static String template(TrainConfig config) {
        StringBuilder text = new StringBuilder("# Options of a run, for: whirlwind train --config FILE\n");
        Map<String, Object> values = config.toMap();
        for (String section : Options.sectionNames()) {
            text.append("\n# ---- ").append(section).append('\n');
            Options.all().values().stream()
                    .filter(option -> option.section().equals(section))
                    .forEach(option -> {
                        Object value = values.get(option.name());
                        boolean given = value != null && !value.equals(List.of());
                        text.append("\n# ").append(option.help()).append('\n');
                        text.append(
                                given
                                        ? YAML.writeValueAsString(Map.of(option.name(), value))
                                                .replaceFirst("^---\\R", "")
                                        : "# " + option.name() + ":\n");
                    });
        }
        return text.toString();
    }

    static Checksum checksum(Path file) {
        String text = text(file);
        Matcher matcher = CHECKSUM.matcher(text);
        if (!matcher.find()) {
            return Checksum.MISSING;
        }
        boolean fits = text.equals(withChecksum(text.substring(0, matcher.start())));
        return fits ? Checksum.FITS : Checksum.DIFFERS;
    }

    /** Gives a file the checksum of what now stands in it. */
    static void accept(Path file) {
        String text = CHECKSUM.matcher(text(file)).replaceAll("");
        replace(file, text.endsWith("\n") ? text : text + "\n");
    }

    private static String withChecksum(String text) {
        CRC32C crc = new CRC32C();
        crc.update(text.getBytes(StandardCharsets.UTF_8));
        return text
                + "# checksum %08x of the lines above; after an edit, resume with --accept-config\n"
                        .formatted(crc.getValue());
    }

    private static String text(Path file) {
        try {
            return new String(WholeFile.read(file, WholeFile.SETTINGS), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UserException(file + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    private static void replace(Path file, String text) {
        try {
            Storage.replace(file, withChecksum(text).getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UserException(
                    file + ": cannot be written (" + Reason.of(e) + "); free some space or choose another --out", e);
        }
    }
}
