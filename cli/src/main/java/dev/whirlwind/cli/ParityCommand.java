package dev.whirlwind.cli;

import dev.whirlwind.cli.shared.EngineOptions;
import dev.whirlwind.cli.shared.Output;
import dev.whirlwind.cli.terminal.Table;
import dev.whirlwind.training.Parity;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "parity",
        description = {
            "Compares an engine with what PyTorch computes in double precision: loss, logits, gradients, a training run,"
                    + " perplexity, greedy continuation, and the trained model reloaded.",
            "Exit code 1 when a case does not pass."
        })
final class ParityCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(
            arity = "1..*",
            paramLabel = "CASE",
            description = "Case folders, such as model/src/test/resources/golden/llama.")
    private List<Path> cases;

    @Mixin
    private EngineOptions engines;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        List<Parity.Report> reports = new ArrayList<>();
        for (Path folder : cases) {
            reports.add(Parity.run(engines::open, folder));
        }
        if (output.isJson()) {
            out.println(Output.json(reports.size() == 1 ? reports.getFirst() : Map.of("cases", reports)));
        } else {
            print(reports, out);
        }
        return reports.stream().allMatch(Parity.Report::pass) ? 0 : 1;
    }

    private static void print(List<Parity.Report> reports, PrintWriter out) {
        Table table = new Table(
                "case",
                "engine",
                "pass",
                "loss",
                "logits",
                "gradients",
                "trajectory",
                "grad norm",
                "final",
                "perplexity",
                "greedy",
                "reloaded");
        for (Parity.Report r : reports) {
            table.row(
                    r.caseName(),
                    r.engine(),
                    r.pass() ? "yes" : "NO",
                    "%.1e".formatted(r.loss().relativeError()),
                    "%.1e".formatted(r.logits().maxAbsError()),
                    "%.1e".formatted(r.gradients().maxRelativeError()),
                    "%.1e".formatted(r.trajectory().maxLossError()),
                    "%.1e".formatted(r.trajectory().maxGradNormRelativeError()),
                    "%.1e".formatted(r.finalParameters().maxAbsError()),
                    r.perplexity() == null
                            ? "-"
                            : "%.1e"
                                    .formatted(Math.abs(r.perplexity().actual()
                                                    / r.perplexity().expected()
                                            - 1)),
                    r.greedy() == null
                            ? "-"
                            : r.greedy().agreeing() + "/" + r.greedy().tokens(),
                    r.finalReloaded() == null
                            ? "-"
                            : "%.1e".formatted(r.finalReloaded().relativeError()));
        }
        table.print(out);
    }
}
