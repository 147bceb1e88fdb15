package dev.whirlwind.data.tokenizers;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The child's side of {@link ChildTokenizer}: the first request carries tokenizer.json, the others texts and ids. A request
 * is a byte that says what it is, a length and so many bytes; a reply the same, its byte saying whether it went well.
 */
final class TokenizerHost {
    private static final int MILLIS_BETWEEN_LOOKS = 500;

    private TokenizerHost() {}

    /** Ends when the standard input does. */
    public static void main(String[] args) throws IOException {
        DataOutputStream out =
                new DataOutputStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
        System.setOut(System.err);
        ProcessHandle.current().parent().ifPresent(TokenizerHost::liveAsLongAs);
        try (DataInputStream in =
                new DataInputStream(new BufferedInputStream(new FileInputStream(FileDescriptor.in), 1 << 16))) {
            LibraryTokenizer tokenizer = null;
            while (true) {
                int what = in.read();
                if (what < 0) {
                    Runtime.getRuntime().halt(0);
                }
                byte[] request = in.readNBytes(in.readInt());
                byte status = ChildTokenizer.DONE;
                byte[] reply = {};
                try {
                    if (tokenizer == null) {
                        tokenizer = new LibraryTokenizer(new String(request, StandardCharsets.UTF_8));
                    } else {
                        reply = reply(tokenizer, (byte) what, request);
                    }
                } catch (RuntimeException e) {
                    status = ChildTokenizer.FAILED;
                    reply = Text.firstLine(e.getMessage()).getBytes(StandardCharsets.UTF_8);
                }
                out.writeByte(status);
                out.writeInt(reply.length);
                out.write(reply);
                out.flush();
            }
        }
    }

    private static byte[] reply(LibraryTokenizer tokenizer, byte what, byte[] request) {
        if (what == ChildTokenizer.DECODE) {
            int[] ids = new int[request.length / Integer.BYTES];
            ByteBuffer.wrap(request).asIntBuffer().get(ids);
            return tokenizer.decode(ids).getBytes(StandardCharsets.UTF_8);
        }
        int[] ids = tokenizer.encode(
                new String(request, StandardCharsets.UTF_8), what == ChildTokenizer.ENCODE_WITH_SPECIAL);
        ByteBuffer reply = ByteBuffer.allocate(Integer.BYTES * ids.length);
        reply.asIntBuffer().put(ids);
        return reply.array();
    }

    /**
     * A parent that is killed does not leave a child behind that is busy. Ctrl-C, which reaches the whole group of
     * processes, is for the parent to deal with: while a shutdown hook waits the child works on.
     */
    private static void liveAsLongAs(ProcessHandle parent) {
        Runnable wait = () -> {
            try {
                while (parent.isAlive()) {
                    Thread.sleep(MILLIS_BETWEEN_LOOKS);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
        Runtime.getRuntime().addShutdownHook(new Thread(wait));
        Thread.ofPlatform().daemon().start(() -> {
            wait.run();
            Runtime.getRuntime().halt(1);
        });
    }
}
