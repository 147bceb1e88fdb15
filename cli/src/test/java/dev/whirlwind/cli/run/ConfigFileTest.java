package dev.whirlwind.cli.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.whirlwind.cli.Cli;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.config.Options;
import dev.whirlwind.training.config.TrainConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written of a run's options is read back as it is, or known not to be what was written. */
class ConfigFileTest {
    @TempDir
    Path temp;

    private Path write() {
        Path file = temp.resolve("config.yaml");
        ConfigFile.write(
                file,
                TrainConfig.DEFAULTS
                        .with(Map.of("model", "a \"model\" # here"), "test")
                        .toMap());
        return file;
    }

    @Test
    void anEditIsKnownAndCanBeAccepted() throws IOException {
        Path file = write();
        assertThat(ConfigFile.checksum(file)).isEqualTo(ConfigFile.Checksum.FITS);
        Files.writeString(file, Files.readString(file).replace("batch: 8", "batch: 4 # less memory") + "# and no more");
        assertThat(ConfigFile.checksum(file)).isEqualTo(ConfigFile.Checksum.DIFFERS);
        ConfigFile.accept(file);
        assertThat(ConfigFile.checksum(file)).isEqualTo(ConfigFile.Checksum.FITS);
        assertThat(ConfigFile.read(file).toString()).contains("batch=4", "threads=0");
        assertThat(Files.readString(file)).containsOnlyOnce("# checksum ");
        assertThat(file).content().contains("# less memory", "# and no more\n# checksum ");
    }

    @Test
    void anOlderFileHasNone() throws IOException {
        Path file = write();
        Files.writeString(file, Files.readString(file).replaceAll("# checksum.*\n", ""));
        assertThat(ConfigFile.checksum(file)).isEqualTo(ConfigFile.Checksum.MISSING);
    }

    /** No byte can change so that other options are read and the checksum fits. */
    @Test
    void anyChangedByteIsNoticedOrHarmless() throws IOException {
        Path file = write();
        byte[] written = Files.readAllBytes(file);
        String options = ConfigFile.read(file).toString();
        Random random = new Random(3);
        int noticed = 0;
        for (int i = 0; i < written.length; i++) {
            byte[] changed = written.clone();
            changed[i] ^= (byte) (1 << random.nextInt(8));
            Files.write(file, changed);
            try {
                if (ConfigFile.checksum(file) == ConfigFile.Checksum.DIFFERS) {
                    noticed++;
                } else {
                    assertThat(ConfigFile.read(file)).as("byte %d", i).hasToString(options);
                }
            } catch (UserException e) {
                noticed++;
            }
        }
        assertThat(noticed).isGreaterThan(written.length - 20);
    }

    private TrainConfig read(String yaml) throws IOException {
        Path file = Files.writeString(temp.resolve("options.yaml"), yaml);
        return TrainConfig.of(ConfigFile.read(file), file.toString());
    }

    @Test
    void optionsMayStandUnderTheirSections() throws IOException {
        assertThat(read("""
                        data:
                          data: texts
                          held-out: 0.1
                        schedule: {schedule: wsd, decay: 0.2}
                        engine: loops
                        batch: 4
                        length:
                          steps: 7
                        """)).isEqualTo(read("""
                        data: [texts]
                        held_out: 0.1
                        schedule: wsd
                        decay: 0.2
                        engine: loops
                        batch: 4
                        steps: 7
                        """));
        assertThatThrownBy(() -> read("data:\n  lr: 1\n"))
                .isInstanceOf(UserException.class)
                .hasMessageContaining("options.yaml: lr stands under data, but belongs to schedule");
        assertThatThrownBy(() -> read("data:\n  max_steps: 1\n"))
                .hasMessageContaining("max_steps stands under data, but belongs to length");
        assertThat(read("length:\nsaving: {}\nteacher: ~\nmin_lr: null\n")).isEqualTo(TrainConfig.DEFAULTS);
        assertThatThrownBy(() -> read("lr: 1\nschedule:\n  lr: 2\n")).hasMessageContaining("gives lr twice");
        assertThatThrownBy(() -> read("data:\n  dat: texts\n")).hasMessageContaining("did you mean \"data\"?");
        assertThatThrownBy(() -> read("schedules: {lr: 1}")).hasMessageContaining("no option \"schedules\"");
        assertThatThrownBy(() -> read("lr: {of: 1}")).hasMessageContaining("lr is {\"of\":1}; it must be a number");
    }

    @Test
    void theTemplateIsReadBack() throws IOException {
        assertThat(read(ConfigFile.template(TrainConfig.DEFAULTS))).isEqualTo(TrainConfig.DEFAULTS);
        String template = Cli.run(
                        "train",
                        "--print-config",
                        "--learning_rate",
                        "3e-5",
                        "--data",
                        "a: b",
                        "c",
                        "--gradient_checkpointing")
                .succeeds()
                .out();
        assertThat(template).contains("# Highest learning rate.\nlr: 3.0E-5\n", "# ---- schedule\n", "\n# min_lr:\n");
        assertThat(read(template))
                .isEqualTo(TrainConfig.of(Map.of("lr", 3e-5, "data", List.of("a: b", "c"), "recompute", true), "test"));
    }

    /** What help and docs say that an option may be can be given, on the command line as in YAML. */
    @Test
    void whatHelpSaysCanBeGiven() {
        for (Options.Entry option : Options.all().values()) {
            List<String> values = option.type().isEnum()
                    ? Arrays.stream(option.choices().split(", | or ", -1))
                            .filter(choice -> option.help().contains(choice))
                            .toList()
                    : List.of(option.defaultText());
            for (String value : values) {
                if (value.isEmpty() || option.type() == boolean.class) {
                    continue;
                }
                String name = "--" + option.name().replace('_', '-');
                // Others' values have no effect without this one, which is wrong usage.
                List<String> line = new ArrayList<>(List.of("train", "--print-config", name, value));
                if (option.name().startsWith("lora_")) {
                    line.addAll(List.of("--lora", "4"));
                }
                if (option.name().startsWith("recompute_")) {
                    line.add("--recompute");
                }
                Cli.run(line.toArray()).succeeds();
            }
        }
        for (String value : List.of("inverseSqrt", "inverse_sqrt", "INVERSE-SQRT")) {
            assertThat(Cli.run("train", "--print-config", "--schedule", value).out())
                    .contains("\nschedule: \"inverseSqrt\"\n");
        }
        Cli.run("train", "--steps", "1e9").isWrongUsage("command line: steps is \"1e9\"; it must be a whole number");
        Cli.run("train", "--schedule", "sine").isWrongUsage("schedule is \"sine\"; it must be cosine, linear");
        Cli.run("train", "--lr", "").isWrongUsage("lr is");
    }
}
