package dev.whirlwind.training.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class OptionsTest {
    private static final Path PAGE = Path.of("../docs/options.md");

    /** After a change of an option: -Dwhirlwind.write.docs=true writes the page anew. */
    @Test
    void thePageOfOptionsIsMadeOfTheirDeclarations() throws IOException {
        if (Boolean.getBoolean("whirlwind.write.docs")) {
            Files.writeString(PAGE, page());
        }
        assertThat(PAGE).content().isEqualTo(page());
    }

    private static String page() {
        StringBuilder page = new StringBuilder("""
                # Options of a run

                For `train`, on the command line (`--min-lr 1e-5`) or in a YAML file for `--config` (`min_lr: 1e-5`), there by
                itself or under the name of its section. Free options may be changed in the `config.yaml` of a run that is under
                way; the others decide what it becomes. This page is made of the options' declarations.
                """);
        for (String section : Options.sectionNames()) {
            page.append("\n## ").append(section).append("\n\n| option | default | what it is |\n|---|---|---|\n");
            for (Options.Entry option : Options.all().values()) {
                if (option.section().equals(section)) {
                    String value = option.defaultText().isEmpty() ? "" : "`" + option.defaultText() + "`";
                    page.append("| `%s` | %s | %s%s |%n"
                            .formatted(option.name(), value, option.help(), option.isFree() ? " (free)" : ""));
                }
            }
        }
        return page.toString();
    }

    @Test
    void everyOptionIsExplained() {
        assertThat(Options.all().values()).allSatisfy(option -> {
            assertThat(option.help()).as(option.name()).endsWith(".").hasSizeGreaterThan(20);
            assertThat(option.label()).isNotEmpty();
            assertThat(option.name()).matches("[a-z0-9_]+");
        });
        assertThat(Options.sectionNames())
                .isEqualTo(List.of(
                        "data",
                        "length",
                        "schedule",
                        "optimizer",
                        "regularisation",
                        "evaluation",
                        "saving",
                        "memory",
                        "engine"));
    }

    @Test
    void valuesOfAnEnumAreNamed() {
        assertThat(Options.all().get("schedule").choices()).isEqualTo("cosine, linear, constant, wsd or infinite");
    }
}
