package dev.whirlwind.data.tokenizers;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.stream.IntStream;

/**
 * A tokenizer.json that was never seen here is read in a child process first, with texts and ids to try it on, because the
 * native library aborts the process over files that it is not ready for. That it went well is kept by the file's hash, in
 * the user's folder for caches.
 */
final class Trial {
    /** Ids of one decoding. */
    private static final int CHUNK = 1024;

    /** Ids that are decoded one by one as well: steps of a decoder may depend on how much there is. */
    private static final int SINGLY = 300;

    /** Raised when more is tried, so that what passed before is tried again. */
    private static final String EDITION = "1";

    private static final List<String> TEXTS = List.of(
            "",
            " ",
            "a",
            "The quick brown fox, it's said, can't jump over 13 lazy dogs in 2024; 3.14159 != 1,000,000.",
            "  leading and trailing  ",
            "tabs\t\tand\r\nlines\n\n\n  \n\tindented",
            "\u00a0\u2003\u2028\u2029\u3000\u200b\ufeff\u00ad",
            "Stra\u00dfe \u00c5ngstr\u00f6m caf\u00e9 cafe\u0301 \ufb01ne \u1e9b\u0323 \u212b",
            "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1 \u041f\u0440\u0438\u0432\u0435\u0442 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
            "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f\u30ab\u30bf\u30ab\u30ca \uc548\ub155 \u1112\u1161\u11ab",
            "\ud83d\ude00\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67\ud83c\uddeb\ud83c\uddf7 \ud835\udcdc\ud835\udcee \ud840\udc00",
            "\u0000\u0001\u0007\u001b[0m\u007f\u0085",
            "\u2581\u2581 \u2581a <0x0A> <unk> <s> </s> [CLS] ## Ġ Ċ",
            "e" + "\u0301".repeat(50),
            "a".repeat(5000),
            " ".repeat(5000),
            "\n".repeat(5000),
            "1234567890".repeat(500),
            "ab, ".repeat(1500),
            "\u4e00".repeat(2000),
            "!?#".repeat(2000));

    private Trial() {}

    /** @throws NativeTokenizer.Failure when the library does not read this file, or ends or hangs over it */
    static void require(String json, TokenizerJson parsed, byte[] fingerprint) {
        Path kept = folder().resolve(HexFormat.of().formatHex(fingerprint));
        if (Files.exists(kept)) {
            return;
        }
        try (ChildTokenizer child = new ChildTokenizer(json, _ -> false)) {
            run(child, parsed);
        }
        try {
            Files.createDirectories(kept.getParent());
            Files.createFile(kept);
        } catch (FileAlreadyExistsException e) {
            // Another process has tried it meanwhile.
        } catch (IOException | RuntimeException e) {
            // Without a cache it only has to be tried again.
        }
    }

    private static void run(NativeTokenizer tokenizer, TokenizerJson parsed) {
        for (String text : TEXTS) {
            tokenizer.decode(tokenizer.encode(text, false));
            tokenizer.encode(text, true);
        }
        for (TokenizerJson.Added token : parsed.added()) {
            tokenizer.encode("a " + token.content() + " b" + token.content(), true);
        }
        int[] ids = parsed.ids().values().stream()
                .mapToInt(Long::intValue)
                .sorted()
                .distinct()
                .toArray();
        for (int from = 0; from < ids.length; from += CHUNK) {
            tokenizer.decode(IntStream.range(from, Math.min(from + CHUNK, ids.length))
                    .map(i -> ids[i])
                    .toArray());
        }
        for (int i = 0; i < Math.min(SINGLY, ids.length); i++) {
            tokenizer.decode(new int[] {ids[i]});
        }
    }

    /** Where the names of files lie that went well, by the library's version. */
    private static Path folder() {
        Properties library = new Properties();
        try (InputStream in = Trial.class.getResourceAsStream("/native/lib/tokenizers.properties")) {
            if (in != null) {
                library.load(in);
            }
        } catch (IOException e) {
            // Then all versions share a folder.
        }
        return caches().resolve("whirlwind")
                .resolve("tokenizers-" + library.getProperty("version", "unknown") + "-" + EDITION);
    }

    private static Path caches() {
        String home = System.getProperty("user.home", ".");
        if (System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("mac")) {
            return Path.of(home, "Library", "Caches");
        }
        String named = System.getenv("XDG_CACHE_HOME");
        return named == null || !Path.of(named).isAbsolute() ? Path.of(home, ".cache") : Path.of(named);
    }
}
