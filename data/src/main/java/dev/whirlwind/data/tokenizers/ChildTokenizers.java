package dev.whirlwind.data.tokenizers;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;

/**
 * As many child processes as threads ask at once. One that ends over a text is replaced by the next request, and so is one
 * that nobody has asked for a while: it ends itself, as nothing else tells when a tokenizer is no longer of use.
 */
final class ChildTokenizers implements NativeTokenizer {
    private final String json;
    private final ConcurrentLinkedQueue<ChildTokenizer> idle = new ConcurrentLinkedQueue<>();

    ChildTokenizers(String json) {
        this.json = json;
    }

    @Override
    public int[] encode(String text, boolean around) {
        return ask(child -> child.encode(text, around));
    }

    @Override
    public String decode(int[] ids) {
        return ask(child -> child.decode(ids));
    }

    private <T> T ask(Function<ChildTokenizer, T> request) {
        ChildTokenizer child = idle.poll();
        if (child == null) {
            // Whoever takes a child out of the queue owns it, so one that is being asked never ends for idleness.
            child = new ChildTokenizer(json, idle::remove);
        }
        try {
            T answer = request.apply(child);
            idle.add(child);
            return answer;
        } catch (RuntimeException | Error e) {
            child.close();
            throw e;
        }
    }
}
