package dev.whirlwind.model;

import java.util.Arrays;
import java.util.stream.Collectors;

/** The families of models, by the {@code model_type} of their config.json. */
public enum Architecture {
    GPT2("gpt2", "transformer."),
    LLAMA("llama", "model."),
    MISTRAL("mistral", "model."),
    QWEN2("qwen2", "model."),
    QWEN3("qwen3", "model.");

    private final String modelType;
    private final String prefix;

    Architecture(String modelType, String prefix) {
        this.modelType = modelType;
        this.prefix = prefix;
    }

    public String modelType() {
        return modelType;
    }

    /** What all tensor names of a language model but the head's begin with; base models leave it out. */
    String prefix() {
        return prefix;
    }

    static Architecture of(String modelType, String source) {
        return Arrays.stream(values())
                .filter(a -> a.modelType.equals(modelType))
                .findFirst()
                .orElseThrow(() -> new UserException(source + ": model_type \"" + Reason.cited(modelType)
                        + "\" is not supported; "
                        + "Whirlwind trains "
                        + Arrays.stream(values()).map(Architecture::modelType).collect(Collectors.joining(", "))));
    }
}
