package dev.whirlwind.data.sources.formats;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Reads in a thread of its own, a few documents ahead, and gives up a reader that does not answer: hardwood waits for ever for
 * a thread of its own that has failed on a damaged file.
 */
final class Ahead implements DocumentReader {
    private static final int SECONDS = 60;
    private static final int DOCUMENTS = 256;
    private static final int CHARACTERS = 1 << 20;

    private final ExecutorService thread =
            Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().factory());
    private final DocumentReader reader;
    private final Queue<Document> documents = new ArrayDeque<>();
    private Future<List<Document>> next;

    Ahead(Callable<DocumentReader> opening) throws IOException {
        boolean opened = false;
        try {
            reader = get(thread.submit(opening));
            opened = true;
        } finally {
            if (!opened) {
                thread.shutdownNow();
            }
        }
        next = thread.submit(this::some);
    }

    private List<Document> some() throws IOException {
        List<Document> some = new ArrayList<>();
        long characters = 0;
        while (some.size() < DOCUMENTS && characters < CHARACTERS) {
            Document document = reader.next();
            if (document == null) {
                break;
            }
            some.add(document);
            characters += document instanceof Document.Text text ? text.text().length() : 0;
        }
        return some;
    }

    @Override
    public Document next() throws IOException {
        if (documents.isEmpty() && next != null) {
            List<Document> some = get(next);
            documents.addAll(some);
            next = some.isEmpty() ? null : thread.submit(this::some);
        }
        return documents.poll();
    }

    private static <T> T get(Future<T> future) throws IOException {
        try {
            return future.get(SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new IOException("nothing came of it for " + SECONDS + " seconds: it is damaged, or its disk is", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case IOException io -> throw io;
                case RuntimeException runtime -> throw runtime;
                default -> throw new IOException("damaged (" + e.getCause() + ")", e);
            }
        }
    }

    @Override
    public void close() throws IOException {
        thread.shutdownNow();
        reader.close();
    }
}
