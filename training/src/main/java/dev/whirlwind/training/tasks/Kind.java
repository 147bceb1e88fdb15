package dev.whirlwind.training.tasks;

/** What a model does in a task, and what it is judged by. */
public enum Kind {
    /** Choose the likeliest answer: accuracy. */
    CHOICE,

    /** The same with labels that all items share: accuracy and F1. */
    CLASSIFICATION,

    /** Predict how a text ends: accuracy and perplexity. */
    CLOZE,

    /** Go on with a prompt: the text is compared with references. */
    GENERATION
}
