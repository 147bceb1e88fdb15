package dev.whirlwind.data.tokenizers;

import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A SentencePiece model to a tokenizer.json that makes the same ids, as {@code LlamaConverter} and {@code SpmConverter} of
 * {@code transformers} do it. Texts get what sentencepiece itself does to them: its map of characters, one space for several
 * where the model says so, and a space in front.
 */
final class SentencePieceConverter {
    private static final String SPACE = "\u2581";

    private record Merge(String left, String right, float score) {
        int leftLength() {
            return left.codePointCount(0, left.length());
        }

        int rightLength() {
            return right.codePointCount(0, right.length());
        }
    }

    private final SentencePieceModel model;
    private final TokenizerSettings settings;

    SentencePieceConverter(SentencePieceModel model, TokenizerSettings settings) {
        this.model = model;
        this.settings = settings;
    }

    ObjectNode convert() {
        if (model.suffixes || !model.escapesSpaces) {
            throw model.damaged("it keeps white space in another way than Llama's");
        }
        ObjectNode json = TokenizerSettings.emptyTokenizer();
        ArrayNode added = json.putArray("added_tokens");
        for (int id = 0; id < model.pieces.size(); id++) {
            int type = model.pieces.get(id).type();
            if (type != SentencePieceModel.NORMAL && isAdded(type)) {
                TokenizerSettings.add(added, id, model.pieces.get(id).text(), type != SentencePieceModel.USER_DEFINED);
            }
        }
        Set<String> names =
                model.pieces.stream().map(SentencePieceModel.Piece::text).collect(Collectors.toSet());
        settings.addOthers(added, names::contains);
        // With legacy false a space is put before the text only, not before what follows a special token as well.
        boolean legacy = settings.flag("legacy", true);
        ArrayNode normalizers =
                json.putObject("normalizer").put("type", "Sequence").putArray("normalizers");
        normalize(normalizers, legacy);
        if (normalizers.isEmpty()) {
            json.putNull("normalizer");
        }
        if (!legacy) {
            json.putObject("pre_tokenizer")
                    .put("type", "Metaspace")
                    .put("replacement", SPACE)
                    .put("prepend_scheme", model.dummyPrefix ? "first" : "never")
                    .put("split", false);
        }
        ArrayNode decoders = json.putObject("decoder").put("type", "Sequence").putArray("decoders");
        replace(decoders, "String", SPACE, " ");
        decoders.addObject().put("type", "ByteFallback");
        decoders.addObject().put("type", "Fuse");
        if (model.dummyPrefix) {
            decoders.addObject()
                    .put("type", "Strip")
                    .put("content", " ")
                    .put("start", 1)
                    .put("stop", 0);
        }
        json.set(
                "model",
                switch (model.modelType) {
                    case SentencePieceModel.BPE -> bpe();
                    case SentencePieceModel.UNIGRAM -> unigram();
                    default -> throw model.damaged("it is neither BPE nor Unigram");
                });
        settings.putAround(json, token(model.bosId), token(model.eosId), true);
        return json;
    }

    private static boolean isAdded(int type) {
        return type == SentencePieceModel.UNKNOWN
                || type == SentencePieceModel.CONTROL
                || type == SentencePieceModel.USER_DEFINED;
    }

    private String token(int id) {
        return id >= 0 && id < model.pieces.size() ? model.pieces.get(id).text() : null;
    }

    private void normalize(ArrayNode normalizers, boolean legacy) {
        if (model.charsmap.length > 0) {
            normalizers
                    .addObject()
                    .put("type", "Precompiled")
                    .put("precompiled_charsmap", Base64.getEncoder().encodeToString(model.charsmap));
        }
        if (model.removesExtraSpaces) {
            replace(normalizers, "Regex", "\\A +| +\\z", "");
            replace(normalizers, "Regex", " {2,}", " ");
        }
        if (legacy) {
            if (model.dummyPrefix) {
                normalizers.addObject().put("type", "Prepend").put("prepend", SPACE);
            }
            replace(normalizers, "String", " ", SPACE);
        }
    }

    private static void replace(ArrayNode steps, String kind, String pattern, String content) {
        ObjectNode step = steps.addObject().put("type", "Replace");
        step.putObject("pattern").put(kind, pattern);
        step.put("content", content);
    }

    private ObjectNode unigram() {
        ObjectNode unigram = JsonNodeFactory.instance
                .objectNode()
                .put("type", "Unigram")
                .put("unk_id", model.unknownId)
                .put("byte_fallback", model.byteFallback);
        ArrayNode vocabulary = unigram.putArray("vocab");
        model.pieces.forEach(piece -> vocabulary.addArray().add(piece.text()).add((double) piece.score()));
        return unigram;
    }

    private ObjectNode bpe() {
        ObjectNode bpe = JsonNodeFactory.instance.objectNode().put("type", "BPE");
        bpe.putNull("dropout")
                .put("unk_token", token(model.unknownId))
                .putNull("continuing_subword_prefix")
                .putNull("end_of_word_suffix")
                .put("fuse_unk", true)
                .put("byte_fallback", model.byteFallback)
                .put("ignore_merges", false);
        ObjectNode vocabulary = bpe.putObject("vocab");
        for (int id = 0; id < model.pieces.size(); id++) {
            vocabulary.put(model.pieces.get(id).text(), id);
        }
        ArrayNode merges = bpe.putArray("merges");
        merges().forEach(merge -> merges.addArray().add(merge.left).add(merge.right));
        return bpe;
    }

    /** All ways to make a piece of two others, the best pieces first: {@code generate_merges} of {@code transformers}. */
    private List<Merge> merges() {
        Map<String, Integer> ids = new HashMap<>();
        for (int id = 0; id < model.pieces.size(); id++) {
            if (model.pieces.get(id).type() == SentencePieceModel.NORMAL) {
                ids.put(model.pieces.get(id).text(), id);
            }
        }
        List<Merge> merges = new ArrayList<>();
        for (SentencePieceModel.Piece piece : model.pieces) {
            if (piece.type() == SentencePieceModel.NORMAL) {
                String text = piece.text();
                List<Merge> ways = new ArrayList<>();
                for (int i = 1; i < text.length(); i++) {
                    Merge way = new Merge(text.substring(0, i), text.substring(i), piece.score());
                    if (ids.containsKey(way.left) && ids.containsKey(way.right)) {
                        ways.add(way);
                    }
                }
                ways.sort(Comparator.<Merge>comparingInt(way -> ids.get(way.left))
                        .thenComparingInt(way -> ids.get(way.right)));
                merges.addAll(ways);
            }
        }
        merges.sort(Comparator.comparingDouble(Merge::score)
                .thenComparingInt(Merge::leftLength)
                .thenComparingInt(Merge::rightLength)
                .reversed());
        return merges;
    }
}
