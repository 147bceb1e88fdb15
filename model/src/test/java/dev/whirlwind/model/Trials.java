package dev.whirlwind.model;

import java.util.List;

/** What the parts of {@link OpsContract} share: engines to try, and the sizes to try them at. */
interface Trials {
    float EPS = 1e-5f;

    /** Positions are drawn from 0 to below this. */
    int POSITIONS = 5;

    /** Windows and divisors that differ from layer to layer. */
    List<AttentionLayer> MIXED =
            List.of(new AttentionLayer(2, 1), new AttentionLayer(7, 64), new AttentionLayer(0, 16));

    /** A new engine. */
    Engine newEngine();

    /** A trial on a new engine, with inputs drawn. */
    Trial trial(String what, int places);

    /** The first few, for an engine that cannot afford more. */
    <T> List<T> thin(List<T> cases);

    record Size(int rows, int width) {}

    default List<Size> sizes() {
        return thin(List.of(
                new Size(7, 20),
                new Size(33, 288),
                new Size(1, 48),
                new Size(33, 65),
                new Size(7, 333),
                new Size(130, 16),
                new Size(3, 5)));
    }

    record Embedding(int batch, int sequence, int width, int vocabulary, boolean positions) {
        int rows() {
            return batch * sequence;
        }
    }

    default List<Embedding> embeddings() {
        return thin(List.of(
                new Embedding(2, 24, 48, 333, true),
                new Embedding(3, 7, 65, 7, false),
                new Embedding(1, 130, 20, 65, true),
                new Embedding(1, 1, 20, 333, true),
                new Embedding(2, 65, 288, 3, false)));
    }

    record Linear(int rows, int in, int out, boolean bias) {}

    default List<Linear> linears() {
        return thin(List.of(
                new Linear(33, 48, 65, true),
                new Linear(7, 65, 20, false),
                new Linear(1, 20, 333, true),
                new Linear(130, 288, 16, false),
                new Linear(24, 16, 288, true),
                new Linear(65, 601, 97, false),
                new Linear(1, 1, 1, true)));
    }

    default List<AttentionShape> attentions() {
        return thin(List.of(
                new AttentionShape(2, 24, 4, 2, 20, 0),
                new AttentionShape(1, 65, 3, 1, 16, MIXED),
                new AttentionShape(1, 65, 3, 1, 16, 8),
                new AttentionShape(1, 130, 2, 1, 64, 0),
                new AttentionShape(1, 150, 4, 1, 18, 70),
                new AttentionShape(3, 2, 4, 2, 6, 0),
                new AttentionShape(1, 33, 3, 3, 6, 1),
                new AttentionShape(2, 7, 2, 2, 20, 100),
                new AttentionShape(2, 1, 4, 2, 64, 0)));
    }

    record Chunks(AttentionShape whole, int prefill) {}

    default List<Chunks> chunks() {
        return thin(List.of(
                new Chunks(new AttentionShape(1, 24, 4, 2, 20, 0), 7),
                new Chunks(new AttentionShape(1, 24, 2, 1, 16, MIXED), 7),
                new Chunks(new AttentionShape(1, 33, 3, 1, 16, 8), 1),
                new Chunks(new AttentionShape(1, 65, 2, 2, 64, 0), 62),
                new Chunks(new AttentionShape(1, 150, 8, 1, 18, 70), 141),
                new Chunks(new AttentionShape(1, 24, 2, 1, 6, 1), 17)));
    }

    record Head(int rows, int width, int vocabulary) {}

    default List<Head> heads() {
        return thin(List.of(
                new Head(33, 48, 333),
                new Head(7, 65, 20),
                new Head(130, 16, 333),
                new Head(1, 20, 1031),
                new Head(24, 288, 65),
                new Head(2, 7, 2)));
    }

    default List<Integer> lengths() {
        return thin(List.of(1037, 100_003, 1, 255, 4096));
    }
}
