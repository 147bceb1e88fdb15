package dev.whirlwind.data;

import dev.whirlwind.data.tokenizers.EndOfText;
import dev.whirlwind.data.tokenizers.Tokenizer;
import dev.whirlwind.data.tokenizers.TokenizerDescription;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Prepared folders with given tokens. */
final class TestShards {
    /** A tokenizer that is nothing but its vocabulary and fingerprint. */
    record Fake(int vocabularySize, byte mark) implements Tokenizer {
        @Override
        public int[] encode(String text) {
            throw new UnsupportedOperationException();
        }

        @Override
        public int[] encodePrompt(String text) {
            throw new UnsupportedOperationException();
        }

        @Override
        public String decode(int[] ids) {
            throw new UnsupportedOperationException();
        }

        @Override
        public TokenizerDescription description() {
            return new TokenizerDescription("fake", -1, List.of());
        }

        @Override
        public EndOfText endOfText() {
            return new EndOfText(0, "", "", Set.of(0), List.of());
        }

        @Override
        public int[] before() {
            return new int[0];
        }

        @Override
        public int[] after() {
            return new int[0];
        }

        @Override
        public int boundary(CharSequence text, int from, int limit) {
            return 0;
        }

        @Override
        public int[] byteLengths() {
            throw new UnsupportedOperationException();
        }

        @Override
        public byte[] fingerprint() {
            byte[] fingerprint = new byte[32];
            fingerprint[31] = mark;
            return fingerprint;
        }

        @Override
        public void save(Path folder) {
            throw new UnsupportedOperationException();
        }
    }

    private TestShards() {}

    static void write(Path folder, Tokenizer tokenizer, long shardTokens, int[]... documents) throws IOException {
        try (ShardWriter writer = new ShardWriter(folder, TokenDataset.TRAIN, tokenizer, shardTokens)) {
            for (int[] document : documents) {
                writer.write(document, 3L * document.length, _ -> {});
            }
            writer.complete();
            DatasetSummary summary = new DatasetSummary(
                    "",
                    tokenizer.vocabularySize(),
                    0,
                    "",
                    "",
                    List.of(),
                    List.of(0),
                    0,
                    0,
                    "document",
                    new DatasetSummary.Split(
                            documents.length,
                            writer.sourceBytes(),
                            writer.tokens(),
                            writer.checksums().size(),
                            writer.checksums()),
                    new DatasetSummary.Split(0, 0, 0, 0, List.of()),
                    0,
                    0,
                    Map.of(),
                    null,
                    null,
                    null);
            Files.write(folder.resolve(DatasetSummary.FILE), summary.json());
        }
    }
}
