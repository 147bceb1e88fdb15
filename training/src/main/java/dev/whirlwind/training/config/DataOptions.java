package dev.whirlwind.training.config;

import dev.whirlwind.data.Mixture;
import dev.whirlwind.data.PackedSequences;
import java.util.List;

/** What is trained on, and where. */
public record DataOptions(
        @Option(
                label = "DIR",
                range = Range.PATH,
                free = true,
                help = "The checkpoint to go on from, a Hugging Face model folder. Required.")
        String model,

        @Option(
                range = Range.PATH,
                free = true,
                help =
                        "The new domain's text: files, folders, zips or jsonl; or one prepared folder. Several sources that are"
                                + " mixed by weights are NAME=PATH:WEIGHT each. Required.")
        List<String> data,

        @Option(label = "RUN", range = Range.PATH, free = true, help = "The new folder of the run. Required.")
        String out,

        @Option(range = Range.PATH, free = true, help = "Text to evaluate on, instead of a part of --data.")
        List<String> valid,

        @Option(
                value = "0.05",
                range = Range.FRACTION,
                help = "Fraction of the bytes kept for evaluation only, in whole documents.")
        double heldOut,

        @Option(
                needs = "replay_fraction",
                range = Range.PATH,
                free = true,
                help = "General text that is mixed in so that it is not forgotten; prepared or not.")
        List<String> replay,

        @Option(
                needs = "replay",
                value = "0",
                range = Range.FRACTION,
                help = "Fraction of the sequences that is taken from --replay.")
        double replayFraction,

        @Option(
                value = "repeat",
                help =
                        "When one of several sources of data has been read: repeat it; stop, which ends an epoch; or renormalise"
                                + " the others' weights without it.")
        Mixture.Exhausted exhausted,

        @Option(
                label = "SHARE:NAME=W,...",
                help =
                        "Other weights of the sources of data from this share of the run on, such as 0.8:code=0.2,prose=0.8; may"
                                + " be given several times.")
        List<String> stage,

        @Option(
                label = "NAME=PATH",
                range = Range.PATH,
                free = true,
                help = "Further texts to evaluate on, each under its name; it may be given several times.")
        List<String> eval,

        @Option(
                value = "blocks",
                help =
                        "How documents come into sequences: blocks, one after the other; bestFit, whole as far as they are no"
                                + " longer, several to a sequence; single, one to a sequence.")
        PackedSequences.Packing packing,

        @Option(
                value = "auto",
                help =
                        "Whether documents of a sequence are read apart, without attention from one to another: on, off, or auto"
                                + " for on with rotary positions.")
        DocumentMask documentMask,

        @Option(value = "1234", help = "Seed of the order of sequences, the held-out documents and dropout.")
        long seed,

        @Option(
                label = "RUN",
                range = Range.PATH,
                help =
                        "Instead of --model: go on from the plateau of a wsd or infinite run, with its optimizer's state and"
                                + " without a warm-up, for --tokens or --steps more, which end with a fall.")
        String extend) {}
