package dev.whirlwind.cli.tokenizer;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Tokenizers: a command that has others. */
@Command(
        name = "tokenizer",
        description = "Trains a tokenizer, looks at one, or adds tokens to a model's.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {TrainTokenizerCommand.class, InspectTokenizerCommand.class, ExtendTokenizerCommand.class})
public final class TokenizerCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "give a command: "
                        + String.join(", ", spec.commandLine().getSubcommands().keySet()));
    }
}
