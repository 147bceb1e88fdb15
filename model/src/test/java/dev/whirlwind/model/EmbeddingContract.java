package dev.whirlwind.model;

import static dev.whirlwind.model.Trial.dot;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Token and position embeddings. */
interface EmbeddingContract extends Trials {
    /** Half of the tokens come from three ids, so that some repeat. */
    private static void drawTokens(Trial t, int vocabulary) {
        for (int r = 0; r < t.inputs.tokens.length; r++) {
            t.inputs.tokens[r] = t.random.nextInt(t.random.nextBoolean() ? vocabulary : Math.min(3, vocabulary));
        }
    }

    @ParameterizedTest
    @MethodSource("embeddings")
    default void embed(Embedding e) {
        try (Trial t = trial("embed " + e, e.rows())) {
            Tensor wte = t.input("wte", e.vocabulary() * e.width(), () -> {
                drawTokens(t, e.vocabulary());
                t.inputs.position = t.random.nextInt(POSITIONS);
                t.drawDocuments(e.sequence());
                return t.normal(e.vocabulary() * e.width());
            });
            Tensor wpe = e.positions() ? t.input("wpe", (POSITIONS + e.sequence()) * e.width()) : null;
            Tensor out = t.output("out", e.rows() * e.width());
            t.each(ops -> ops.embed(out, wte, wpe, e.batch(), e.sequence(), e.width()), () -> {
                double[] places = wpe == null ? null : t.before(wpe);
                t.expect(out, Reference.embed(t.inputs, t.before(wte), places, e.batch(), e.sequence(), e.width()));
            });
        }
    }

    @ParameterizedTest
    @MethodSource("embeddings")
    default void embedBackward(Embedding e) {
        try (Trial t = trial("embedBackward " + e, e.rows())) {
            Tensor dwte = t.changed("dwte", e.vocabulary() * e.width());
            Tensor dwpe = e.positions() ? t.changed("dwpe", e.sequence() * e.width()) : null;
            Tensor dout = t.input("dout", e.rows() * e.width(), () -> {
                drawTokens(t, e.vocabulary());
                t.drawDocuments(e.sequence());
                return t.normal(e.rows() * e.width());
            });
            t.each(ops -> ops.embedBackward(dwte, dwpe, dout, e.batch(), e.sequence(), e.width()), () -> {
                double[] wte = t.normal(e.vocabulary() * e.width());
                double[] wpe = t.normal(e.sequence() * e.width());
                t.expectAddedGradient(dwte, wte, w -> dot(t.before(dout), embed(t, w, wpe, e)));
                if (dwpe != null) {
                    t.expectAddedGradient(dwpe, wpe, w -> dot(t.before(dout), embed(t, wte, w, e)));
                }
            });
        }
    }

    private static double[] embed(Trial t, double[] wte, double[] wpe, Embedding e) {
        return Reference.embed(t.inputs, wte, wpe, e.batch(), e.sequence(), e.width());
    }
}
