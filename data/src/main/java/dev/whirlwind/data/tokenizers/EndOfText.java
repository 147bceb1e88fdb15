package dev.whirlwind.data.tokenizers;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.LongFunction;

/**
 * Which token ends a text, and which file says so. Base models whose tokenizer is that of a chat model (Qwen3-Base) name
 * one token in config.json, which they were trained with, and another in tokenizer_config.json: config.json wins.
 *
 * @param id the token that joins documents, or -1 where no file names one that the model knows
 * @param token its name
 * @param source the file that names it
 * @param stops all tokens that end a text while it is generated, as in {@code transformers}: those of
 *     generation_config.json and of config.json, or else the tokenizer's own
 * @param unusable what the files name but the model does not know, such as {@code "config.json's 50256"}
 */
public record EndOfText(int id, String token, String source, Set<Integer> stops, List<String> unusable) {
    /** What one file says: {@code eos_token_id}, which may be a list. */
    record Named(String file, List<Long> ids) {}

    public EndOfText {
        stops = Set.copyOf(stops);
        unusable = List.copyOf(unusable);
    }

    /**
     * @param config of config.json and generation_config.json, in this order
     * @param own of the tokenizer's own files: none or one
     * @param vocabulary ids are below it
     * @param names of ids
     */
    static EndOfText of(List<Named> config, Named own, long vocabulary, LongFunction<String> names) {
        List<String> unusable = new ArrayList<>();
        Set<Integer> stops = new LinkedHashSet<>();
        int joining = -1;
        String source = "";
        List<Long> mine = usable(own, vocabulary, unusable);
        for (Named file : config) {
            List<Long> ids = usable(file, vocabulary, unusable);
            ids.forEach(id -> stops.add(id.intValue()));
            if (joining < 0 && !ids.isEmpty()) {
                boolean agreed = !mine.isEmpty() && ids.contains(mine.getFirst());
                joining = (agreed ? mine : ids).getFirst().intValue();
                source = file.file;
            }
        }
        if (joining < 0 && !mine.isEmpty()) {
            joining = mine.getFirst().intValue();
            source = own.file;
            stops.add(joining);
        }
        return new EndOfText(joining, joining < 0 ? "" : names.apply(joining), source, stops, unusable);
    }

    private static List<Long> usable(Named file, long vocabulary, List<String> unusable) {
        List<Long> usable = new ArrayList<>();
        for (Long id : file.ids) {
            if (id >= 0 && id < vocabulary) {
                usable.add(id);
            } else {
                unusable.add(file.file + "'s " + id);
            }
        }
        return usable;
    }
}
