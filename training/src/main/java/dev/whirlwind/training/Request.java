package dev.whirlwind.training;

/** What can be asked of a run while it goes. Neither changes what becomes of it. */
public enum Request {
    /** A checkpoint after the step at hand. */
    CHECKPOINT("checkpoint-now"),

    /** An evaluation after the step at hand; it decides neither which model is best nor when the run ends. */
    EVALUATION("evaluate-now");

    private final String file;

    Request(String file) {
        this.file = file;
    }

    /** The name of a file in the run's folder that asks for it. */
    public String file() {
        return file;
    }
}
