package dev.whirlwind.training.evaluation;

import dev.whirlwind.data.TokenSource;
import dev.whirlwind.data.tokenizers.BadText;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import dev.whirlwind.model.files.WholeFile;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A text that samples continue.
 *
 * @param name what samples of it are known by
 * @param tokens at least one
 */
public record Prompt(String name, String text, List<Integer> tokens) {
    /** Each takes its time at every sampling. */
    private static final int MOST = 64;

    public Prompt {
        tokens = List.copyOf(tokens);
    }

    /**
     * The prompts of a UTF-8 file, one a line; empty lines are left out, and the others known by their numbers.
     *
     * @throws UserException if there are none, or too many, or one has no tokens
     */
    public static List<Prompt> read(Path file, Tokenizer tokenizer) {
        String text;
        try {
            text = WholeFile.text(file, WholeFile.SETTINGS);
        } catch (CharacterCodingException e) {
            throw new UserException(file + ": is not UTF-8 text; give sample_prompts a file with a prompt a line", e);
        } catch (IOException e) {
            throw new UserException(
                    file + ": cannot be read (" + Reason.of(e) + "); give sample_prompts a file with a prompt a line",
                    e);
        }
        List<Prompt> prompts = new ArrayList<>();
        int number = 0;
        for (String line : text.lines().toList()) {
            number++;
            if (!line.isBlank()) {
                prompts.add(of(file + ": line " + number, String.valueOf(number), line, tokenizer));
            }
        }
        if (prompts.isEmpty() || prompts.size() > MOST) {
            throw new UserException(file + ": has " + prompts.size() + " prompts; give it 1 to " + MOST
                    + ", one a line, as all are continued at each sampling");
        }
        return prompts;
    }

    private static Prompt of(String place, String name, String text, Tokenizer tokenizer) {
        try {
            int[] tokens = tokenizer.encodePrompt(text);
            if (tokens.length == 0) {
                throw new UserException(place + ": the tokenizer makes no tokens of it; change it");
            }
            return new Prompt(name, text, boxed(tokens));
        } catch (BadText e) {
            throw new UserException(place + ": " + e.getMessage() + "; change it", e);
        }
    }

    /**
     * How a text begins, as a prompt.
     *
     * @param most tokens that it may have
     */
    public static Prompt beginning(String name, TokenSource source, Tokenizer tokenizer, int most) {
        int[] tokens = new int[(int) Math.min(most, Math.ceilDiv(source.tokens(), 2))];
        source.read(0, tokens, 0, tokens.length);
        return new Prompt(name, tokenizer.decode(tokens), boxed(tokens));
    }

    private static List<Integer> boxed(int[] tokens) {
        return Arrays.stream(tokens).boxed().toList();
    }

    int[] ids() {
        return tokens.stream().mapToInt(Integer::intValue).toArray();
    }
}
