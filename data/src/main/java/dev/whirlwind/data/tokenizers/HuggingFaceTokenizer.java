package dev.whirlwind.data.tokenizers;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** A tokenizer.json, run by Hugging Face's own Rust library, for a model's vocabulary. */
final class HuggingFaceTokenizer implements Tokenizer {
    /** Tokens that are named of those that the model does not know. */
    private static final int NAMED = 3;

    /** With more than one in so many beyond the model's vocabulary, a tokenizer is that of another model. */
    private static final int MOST_UNKNOWN = 10;

    private final TokenizerFiles files;
    private final byte[] fingerprint;
    private final int vocabulary;
    private final int size;
    private final Pipeline pipeline;
    private final NativeTokenizer library;

    /** For texts on which the library may abort the process. */
    private final NativeTokenizer apart;

    private final SpecialNames specialNames;

    /** The two without special tokens, once a text has held the name of one. */
    private NativeTokenizer plain;

    private NativeTokenizer plainApart;

    private final ByteFallback decoder;
    private final EndOfText endOfText;
    private final int[] before;
    private final int[] after;

    /** @param vocabulary the model's */
    HuggingFaceTokenizer(TokenizerFiles files, int vocabulary, Consumer<String> notes) {
        this.files = files;
        this.vocabulary = vocabulary;
        fingerprint = files.fingerprint();
        TokenizerJson json = files.json();
        size = size(json);
        requireKnown(json, notes);
        pipeline = Pipeline.of(json);
        specialNames = new SpecialNames(json);
        apart = new ChildTokenizers(files.text());
        endOfText = files.endOfText(json, vocabulary == Integer.MAX_VALUE ? size : vocabulary);
        if (!endOfText.unusable().isEmpty()) {
            notes.accept(files.path() + ": " + String.join(" and ", endOfText.unusable())
                    + ", named as end of text, is beyond the vocabulary; "
                    + (endOfText.id() < 0
                            ? "no other file names one"
                            : endOfText.token() + " (" + endOfText.id() + ") of " + endOfText.source() + " is used"));
        }
        try {
            Trial.require(files.text(), json, fingerprint);
            library = pipeline.isSafe(0) ? new LibraryTokenizer(files.text()) : apart;
            decoder = ByteFallback.of(library, json);
            int[] inner = library.encode("a", false);
            int[] outer = library.encode("a", true);
            int place = place(inner, outer);
            before = Arrays.copyOf(outer, place);
            after = Arrays.copyOfRange(outer, place + inner.length, outer.length);
        } catch (NativeTokenizer.Failure e) {
            throw new UserException(
                    files.path() + ": is not a tokenizer that Hugging Face tokenizers reads (" + e.getMessage()
                            + "); mend it, or download it again",
                    e);
        }
    }

    /** One above the highest id that a text can make. */
    private int size(TokenizerJson json) {
        long highest = -1;
        for (Map.Entry<String, Long> token : json.ids().entrySet()) {
            if (token.getValue() < 0 || token.getValue() >= Integer.MAX_VALUE) {
                throw new UserException(files.path() + ": the token " + named(token)
                        + " has an id that no model can know; mend the file, or download it again");
            }
            highest = Math.max(highest, token.getValue());
        }
        return (int) highest + 1;
    }

    /** A few tokens more than the model has (a padding token, mostly) do no harm while no text makes them. */
    private void requireKnown(TokenizerJson json, Consumer<String> notes) {
        Map<String, Long> ids = json.ids();
        List<Map.Entry<String, Long>> unknown = ids.entrySet().stream()
                .filter(token -> token.getValue() >= vocabulary)
                .sorted(Map.Entry.comparingByValue(Comparator.<Long>naturalOrder()))
                .toList();
        if (unknown.isEmpty()) {
            return;
        }
        json.template().entrySet().stream()
                .filter(token -> token.getValue() >= vocabulary)
                .findFirst()
                .ifPresent(token -> {
                    throw new UserException(files.path() + ": puts the token " + named(token)
                            + " around every text, but the model's vocabulary is " + vocabulary
                            + ": tokenizer.json and config.json (vocab_size) belong to different models");
                });
        if (unknown.size() > ids.size() / MOST_UNKNOWN) {
            throw TokenizerFiles.misfit(files.path(), size, vocabulary);
        }
        notes.accept(files.path() + ": has " + unknown.size()
                + (unknown.size() == 1 ? " token" : " tokens") + " more than the model's vocabulary of " + vocabulary
                + " ("
                + unknown.stream().limit(NAMED).map(HuggingFaceTokenizer::named).collect(Collectors.joining(", "))
                + (unknown.size() > NAMED ? ", ..." : "") + "); a text that holds one is refused");
    }

    private static String named(Map.Entry<String, Long> token) {
        return Reason.cited(token.getKey()) + " (" + token.getValue() + ")";
    }

    /** Where a text's own tokens begin among those that are put around it. */
    private static int place(int[] inner, int[] outer) {
        for (int place = 0; place + inner.length <= outer.length; place++) {
            if (Arrays.equals(outer, place, place + inner.length, inner, 0, inner.length)) {
                return place;
            }
        }
        throw new NativeTokenizer.Failure("its post-processor changes a text's own tokens");
    }

    @Override
    public int[] encode(String text) {
        return encode(text, false, false);
    }

    @Override
    public int[] encodeText(String text) {
        return encode(text, false, specialNames.areIn(text));
    }

    @Override
    public String continuation(String piece) {
        return pipeline.continuation(piece);
    }

    @Override
    public int[] encodePrompt(String text) {
        return encode(text, true, false);
    }

    private int[] encode(String text, boolean around, boolean withoutSpecial) {
        String wellFormed = Text.wellFormed(text);
        int[] ids;
        try {
            boolean safe = pipeline.isSafe(text.length());
            NativeTokenizer tokenizer = withoutSpecial ? plain(safe) : safe ? library : apart;
            ids = tokenizer.encode(wellFormed, around);
        } catch (NativeTokenizer.Failure e) {
            throw new BadText("the tokenizer fails on it (" + e.getMessage() + ")", e);
        }
        for (int id : ids) {
            if (id >= vocabulary || id < 0) {
                throw new BadText(
                        "it holds the token " + Reason.cited(files.json().name(id)) + " (" + id
                                + "), which is beyond the model's vocabulary of " + vocabulary);
            }
        }
        return ids;
    }

    private synchronized NativeTokenizer plain(boolean safe) {
        if (plainApart == null) {
            plainApart = new ChildTokenizers(SpecialNames.without(files.text()));
        }
        if (safe && plain == null) {
            plain = pipeline.isSafe(0) ? new LibraryTokenizer(SpecialNames.without(files.text())) : plainApart;
        }
        return safe ? plain : plainApart;
    }

    @Override
    public int boundary(CharSequence text, int from, int limit) {
        return pipeline.boundary(text, from, limit);
    }

    /** Ids beyond the vocabulary that it was loaded for never come. */
    @Override
    public void requireFits(int modelVocabulary) {
        if (vocabulary > modelVocabulary) {
            Tokenizer.super.requireFits(modelVocabulary);
        }
    }

    @Override
    public String decode(int[] ids) {
        try {
            return decoder.decode(ids);
        } catch (NativeTokenizer.Failure e) {
            throw new UserException(files.path() + ": fails to decode tokens (" + e.getMessage() + ")", e);
        }
    }

    @Override
    public int vocabularySize() {
        return size;
    }

    @Override
    public TokenizerDescription description() {
        return TokenizerDescription.of(files.json());
    }

    @Override
    public EndOfText endOfText() {
        return endOfText;
    }

    @Override
    public int[] before() {
        return before.clone();
    }

    @Override
    public int[] after() {
        return after.clone();
    }

    @Override
    public int[] byteLengths() {
        return TokenLengths.read(files.json(), size);
    }

    @Override
    public byte[] fingerprint() {
        return fingerprint.clone();
    }

    @Override
    public void save(Path folder) {
        files.save(folder);
    }
}
