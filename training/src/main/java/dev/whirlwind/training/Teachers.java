package dev.whirlwind.training;

import dev.whirlwind.model.Engine;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.adapters.ModelFolder;
import dev.whirlwind.training.metrics.Listener;
import java.nio.file.Path;

/** Models whose probabilities another one learns (arXiv 1503.02531; from the model it was, arXiv 1606.09282). */
public final class Teachers {
    private Teachers() {}

    /**
     * The teacher's configuration, without dropout.
     *
     * @throws UserException if it cannot teach: another vocabulary, or too short
     */
    public static ModelConfig config(Path folder, ModelConfig pupil, int sequence) {
        ModelConfig config = ModelFolder.config(folder).withDropout(0);
        if (config.vocabularySize() != pupil.vocabularySize()) {
            throw new UserException("the teacher in " + folder + " has a vocabulary of " + config.vocabularySize()
                    + ", the model one of " + pupil.vocabularySize() + "; take a teacher with the model's tokenizer");
        }
        if (sequence > config.longestText()) {
            throw new UserException("sequence is " + sequence + ", but the teacher in " + folder + " has "
                    + config.longestText() + " positions; choose a shorter one");
        }
        return config;
    }

    /** Ready to teach another one of that engine. */
    static Transformer load(Engine engine, Path folder, Transformer pupil, Listener listener) {
        ModelConfig config = config(folder, pupil.weights().config(), pupil.sequence());
        return Transformer.forEvaluation(
                engine,
                ModelFolder.load(engine, folder, config, listener::note).weights(),
                pupil.batch(),
                pupil.sequence());
    }
}
