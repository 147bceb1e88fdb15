package dev.whirlwind.cli.run;

import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.shared.Pages;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.config.TrainConfig;
import dev.whirlwind.training.report.ComparisonPage;
import dev.whirlwind.training.report.LiveReport;
import dev.whirlwind.training.report.ReportPage;
import dev.whirlwind.training.report.RunHistory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "report",
        description = {
            "Shows a run in a page for a browser, or lays several over each other: curves, samples, options.",
            "A run that trains keeps its RUN/report.html up to date by itself."
        })
public final class ReportCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "RUN", arity = "1..*", description = "Folders of runs, finished or not.")
    private List<Path> runs;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description = "Where the page is written. Default: RUN/report.html of one run; comparison.html in the"
                    + " working folder of several.")
    private Path out;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        boolean one = runs.size() == 1;
        List<RunHistory> histories = new ArrayList<>();
        Path common = common();
        for (Path run : runs) {
            histories.add(history(
                    run,
                    common == null
                            ? run
                            : common.relativize(run.toAbsolutePath().normalize())));
        }
        Path file = out != null ? out : one ? runs.getFirst().resolve("report.html") : Path.of("comparison.html");
        Pages.require(file, "--out");
        LiveReport.write(file, one ? ReportPage.of(histories.getFirst(), false) : ComparisonPage.of(histories));
        if (output.isJson()) {
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("report", file.toString());
            result.put("runs", runs.stream().map(Path::toString).toList());
            spec.commandLine().getOut().println(Output.json(result));
        } else {
            spec.commandLine().getOut().println(file);
        }
        return 0;
    }

    /** The deepest folder that all runs lie in, so that their names below it are as short as can be; null for none. */
    private Path common() {
        Path common = null;
        for (Path run : runs) {
            Path parent = run.toAbsolutePath().normalize().getParent();
            common = common == null ? parent : common;
            while (parent != null && common != null && !parent.startsWith(common)) {
                common = common.getParent();
            }
        }
        return common;
    }

    private static RunHistory history(Path run, Path name) {
        Path config = run.resolve(Run.CONFIG);
        if (!Files.exists(config)) {
            throw new UserException(run + ": is not the folder of a run (it has no " + Run.CONFIG + "); name one");
        }
        if (!Files.exists(run.resolve(RunHistory.METRICS))) {
            throw new UserException(
                    run + ": has no " + RunHistory.METRICS + " yet, so there is nothing to report; train first");
        }
        Map<String, Object> options =
                TrainConfig.of(ConfigFile.read(config), config.toString()).toMap();
        return RunHistory.read(run, String.valueOf(name), options);
    }
}
