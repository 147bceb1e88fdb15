package dev.whirlwind.data.tokenizers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What Hugging Face's Python library did with difficult strings. */
public final class Cases {
    public static final Path TOKENIZERS = Path.of("src/test/resources/tokenizers");

    @SuppressWarnings("ArrayRecordComponent")
    public record Case(String text, int[] ids, int[] idsWithSpecial, String decoded) {}

    private Cases() {}

    public static JsonNode json(Path file) {
        try {
            return JsonMapper.shared().readTree(Files.readAllBytes(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static List<Case> of(Path folder) {
        List<Case> cases = new ArrayList<>();
        for (JsonNode node : json(folder.resolve("tokenizer_cases.json")).path("cases")) {
            cases.add(new Case(
                    node.path("text").stringValue(),
                    ints(node.path("ids")),
                    ints(node.path("ids_with_special")),
                    node.path("decoded").stringValue()));
        }
        return cases;
    }

    static int[] ints(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false)
                .mapToInt(JsonNode::intValue)
                .toArray();
    }

    /** A tokenizer, but for texts with a certain character, which it cannot read. */
    public static Tokenizer refusing(Tokenizer tokenizer, char bad) {
        return (Tokenizer) Proxy.newProxyInstance(
                Tokenizer.class.getClassLoader(), new Class<?>[] {Tokenizer.class}, (_, method, args) -> {
                    if (method.getName().startsWith("encode") && ((String) args[0]).indexOf(bad) >= 0) {
                        throw new BadText("holds " + bad);
                    }
                    return method.invoke(tokenizer, args);
                });
    }
}
