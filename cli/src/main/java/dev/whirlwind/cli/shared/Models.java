package dev.whirlwind.cli.shared;

import dev.whirlwind.cli.run.Run;
import dev.whirlwind.data.tokenizers.ByteTokenizer;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.model.files.FolderLock;
import dev.whirlwind.model.files.Storage;
import dev.whirlwind.training.config.LengthOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Model folders as commands use them. */
public final class Models {
    private Models() {}

    /** A folder's weights in the engine's memory. */
    public static Parameters load(Engine engine, Path folder, ModelConfig config, PrintWriter err) {
        return ModelFolder.load(engine, folder, config, err::println).weights();
    }

    /**
     * The folder's tokenizer; a model of 256 tokens without one is taken to read bytes.
     *
     * @param notes told of what is odd about it
     */
    public static Tokenizer tokenizer(Path folder, ModelConfig config, Consumer<String> notes) {
        if (!Tokenizer.isIn(folder) && ModelFolder.isAdapter(folder)) {
            return tokenizer(ModelFolder.base(folder), config, notes);
        }
        boolean bytes = config.vocabularySize() == 256 && !Tokenizer.isIn(folder);
        return bytes ? new ByteTokenizer() : Tokenizer.load(folder, config.vocabularySize(), notes);
    }

    /** Tokens of a window or sequence, by what {@code --sequence} says, which the model must be able to read. */
    public static int sequence(ModelConfig config, int sequence) {
        int length = LengthOptions.sequenceLength(sequence, config.maxPositions());
        config.requirePositions(length);
        return length;
    }

    /**
     * Throws unless there is nothing yet under this name, or an empty folder, or one that is only locked, or that a run was
     * killed in when it had written nothing yet.
     */
    public static void requireEmpty(Path folder) {
        if (!Files.exists(folder)) {
            return;
        }
        if (!Files.isDirectory(folder)) {
            throw new UserException(folder + ": is a file; give --out a new folder");
        }
        try (Stream<Path> files = Files.list(folder)) {
            Path halfDone = Storage.partial(folder.resolve(Run.CONFIG));
            if (files.anyMatch(file -> !file.endsWith(FolderLock.NAME) && !file.equals(halfDone))) {
                throw new UserException(folder
                        + (Files.exists(folder.resolve(Run.CONFIG))
                                ? ": is not empty but holds a run; go on with it by resume, or give --out a new folder"
                                : ": is not empty; give --out a new folder, or remove this one"));
            }
        } catch (IOException e) {
            throw new UserException(folder + ": cannot be read (" + Reason.of(e) + ")", e);
        }
    }

    /** Removes a file, or a folder with all that is in it, if it is there; of a link only the link. */
    public static void delete(Path folder) {
        try {
            Storage.delete(folder);
        } catch (IOException e) {
            throw new UserException(folder + ": cannot be removed (" + Reason.of(e) + ")", e);
        }
    }
}
