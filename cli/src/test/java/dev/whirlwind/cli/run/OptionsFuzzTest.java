package dev.whirlwind.cli.run;

import static dev.whirlwind.model.fuzz.Fuzz.utf8;

import dev.whirlwind.model.fuzz.Fuzz;
import dev.whirlwind.training.config.TrainConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OptionsFuzzTest {
    @TempDir
    Path folder;

    @Test
    void yaml() throws IOException {
        Path written = folder.resolve("written.yaml");
        ConfigFile.write(written, TrainConfig.DEFAULTS.toMap());
        new Fuzz(
                        "yaml",
                        folder.resolve("config.yaml"),
                        file -> TrainConfig.DEFAULTS.with(ConfigFile.read(file), file.toString()),
                        Files.readAllBytes(written),
                        utf8("""
                                # Options
                                model: models/small
                                data: [texts/, more.jsonl.gz]
                                replay: "general/"
                                replay_fraction: .25
                                lr: 1e-4
                                epochs: 1
                                schedule: wsd
                                on-spike: skip
                                """),
                        utf8("{\"lr\": 0.001, \"steps\": 10, \"data\": [\"a\", \"b\"]}"))
                .run();
    }
}
