package dev.whirlwind.cli;

import dev.whirlwind.cli.bench.BenchCommand;
import dev.whirlwind.cli.bench.CompareCommand;
import dev.whirlwind.cli.evaluation.EvalCommand;
import dev.whirlwind.cli.evaluation.ScoreCommand;
import dev.whirlwind.cli.run.LrFindCommand;
import dev.whirlwind.cli.run.PlanCommand;
import dev.whirlwind.cli.run.ReportCommand;
import dev.whirlwind.cli.run.ResumeCommand;
import dev.whirlwind.cli.run.TrainCommand;
import dev.whirlwind.cli.run.TrainOptions;
import dev.whirlwind.cli.shared.Needs;
import dev.whirlwind.cli.terminal.Messages;
import dev.whirlwind.cli.terminal.Terminal;
import dev.whirlwind.cli.tokenizer.TokenizerCommand;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UsageException;
import dev.whirlwind.model.UserException;
import dev.whirlwind.training.config.Aliases;
import dev.whirlwind.training.config.Suggestion;
import java.io.OutputStreamWriter;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command line. Results go to standard output, everything else to standard error. */
@Command(
        name = "whirlwind",
        description = "Continues the pre-training of foundation models (GPT-2, Llama, Mistral, Qwen2, Qwen3) in Java.",
        synopsisSubcommandLabel = "COMMAND",
        version = "Whirlwind 0.1.0",
        mixinStandardHelpOptions = true,
        subcommands = {
            DemoCommand.class,
            InitCommand.class,
            PrepareCommand.class,
            TokenizerCommand.class,
            TrainCommand.class,
            ResumeCommand.class,
            PlanCommand.class,
            LrFindCommand.class,
            ReportCommand.class,
            EvalCommand.class,
            ScoreCommand.class,
            MergeCommand.class,
            ExportCommand.class,
            FisherCommand.class,
            TeachCommand.class,
            GenerateCommand.class,
            ParityCommand.class,
            CompareCommand.class,
            BenchCommand.class,
            DevicesCommand.class,
        },
        footer = {
            "",
            "Exit codes: 0 done; 1 failed, one line on standard error says why; 2 wrong usage;",
            "130 interrupted after everything was saved."
        })
public final class Main implements Runnable {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--verbose",
            scope = ScopeType.INHERIT,
            description = "Show stack traces of errors, and more of what goes on.")
    private boolean verbose;

    /** The program. */
    public static void main(String[] args) {
        Terminal.takeBackStandardError();
        // Figures are written as English has them, as all else is: 1,234.5 everywhere, and no 1.234,5.
        Locale.setDefault(Locale.ROOT);
        // Text is UTF-8 whatever the locale says: models are trained on UTF-8.
        PrintWriter out = utf8(System.out);
        PrintWriter err = utf8(System.err);
        int code = run(args, out, err);
        out.flush();
        // Print streams keep failures to themselves: a result that nobody got is none.
        if (System.out.checkError() && code == 0) {
            err.println(
                    "whirlwind: standard output cannot be written to (its disk is full, or what reads it has ended);"
                            + " the result, or a part of it, is lost");
            code = CommandLine.ExitCode.SOFTWARE;
        }
        err.flush();
        System.exit(code);
    }

    private static PrintWriter utf8(PrintStream stream) {
        return new PrintWriter(new OutputStreamWriter(stream, StandardCharsets.UTF_8), true);
    }

    /** Runs one command and gives its exit code. */
    static int run(String[] args, PrintWriter out, PrintWriter standardError) {
        PrintWriter err = new Messages(standardError);
        Main main = new Main();
        CommandLine commandLine = new CommandLine(main)
                .setOut(out)
                .setErr(err)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setUsageHelpAutoWidth(true)
                .registerConverter(Path.class, Main::path)
                .setParameterExceptionHandler(Main::usage)
                .setExecutionStrategy(Main::execute)
                .setExecutionExceptionHandler((e, command, parsed) -> main.failure(e, err));
        TrainOptions.addAll(commandLine.getSubcommands().get("train").getCommandSpec());
        TrainOptions.addAll(commandLine.getSubcommands().get("plan").getCommandSpec());
        TrainOptions.addChangeable(commandLine.getSubcommands().get("resume").getCommandSpec());
        commandLine.getSubcommands().values().forEach(Main::addHelp);
        try {
            return commandLine.execute(args);
        } catch (Throwable e) {
            return main.failure(e, err);
        }
    }

    private static void addHelp(CommandLine command) {
        command.getCommandSpec()
                .addOption(OptionSpec.builder("-h", "--help")
                        .usageHelp(true)
                        .description("Show this help and exit.")
                        .build());
        command.getSubcommands().values().forEach(Main::addHelp);
    }

    private static int execute(CommandLine.ParseResult parsed) {
        CommandLine.ParseResult last = parsed;
        while (last.hasSubcommand()) {
            last = last.subcommand();
        }
        if (parsed.hasSubcommand() && !last.isUsageHelpRequested()) {
            try {
                Needs.Check.requireEffect(last);
            } catch (UsageException e) {
                throw new CommandLine.ExecutionException(last.commandSpec().commandLine(), e.getMessage(), e);
            }
        }
        return new CommandLine.RunLast().execute(parsed);
    }

    /** An empty path would be the working folder; it comes of a shell's variable that is not set. */
    private static Path path(String value) {
        if (value.isEmpty()) {
            throw new CommandLine.TypeConversionException("it is empty; give a path");
        }
        return Path.of(value);
    }

    /** Without a command there is only help to give. */
    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getErr());
        throw new CommandLine.ParameterException(spec.commandLine(), "give a command");
    }

    private static int usage(CommandLine.ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        String message = String.valueOf(e.getMessage());
        for (String arg : args) {
            message = message.replace(arg, Reason.cited(arg));
        }
        String help = "see " + command.getCommandSpec().qualifiedName() + " --help";
        String remedy = e instanceof UnmatchedArgumentException unmatched
                ? answer(command, unmatched.getUnmatched().getFirst())
                        .or(() -> suggestion(command, unmatched.getUnmatched().getFirst())
                                .map(meant -> "did you mean " + meant + "?"))
                        .orElse(help)
                : help;
        command.getErr().println("whirlwind: " + message + "; " + remedy);
        return command.getCommandSpec().exitCodeOnInvalidInput();
    }

    /** What there is to say to an option of transformers' programs. */
    private static Optional<String> answer(CommandLine command, String unmatched) {
        return command.getCommandName().equals("train") && unmatched.startsWith("--")
                ? Aliases.answer(unmatched.substring(2).split("=", 2)[0])
                : Optional.empty();
    }

    private static Optional<String> suggestion(CommandLine command, String unmatched) {
        return unmatched.startsWith("--")
                ? Suggestion.of(
                                unmatched.substring(2).split("=", 2)[0],
                                command.getCommandSpec().optionsMap().keySet().stream()
                                        .filter(name -> name.startsWith("--"))
                                        .map(name -> name.substring(2))
                                        .toList())
                        .map(name -> "--" + name)
                : Suggestion.of(unmatched, command.getSubcommands().keySet());
    }

    private int failure(Throwable e, PrintWriter err) {
        UserException known = Failures.known(e);
        err.println("whirlwind: "
                + (known != null
                        ? String.valueOf(known.getMessage())
                        : "unexpected " + e.getClass().getSimpleName() + " (" + Reason.cited(e.getMessage())
                                + "); please report it with the stack trace that --verbose shows"));
        if (verbose) {
            e.printStackTrace(err);
        }
        return known instanceof UsageException ? CommandLine.ExitCode.USAGE : CommandLine.ExitCode.SOFTWARE;
    }
}
