package dev.whirlwind.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed team of threads for fork and join. {@link #run} hands out task numbers from one atomic counter, so which
 * worker runs which task is a matter of chance: a task's result may depend on its number only, and sums that cross tasks
 * are taken afterwards in a fixed order. Idle workers spin for some microseconds, then park. Running allocates nothing;
 * a body that must not allocate either is an object kept by its caller rather than a capturing lambda.
 */
final class Workers implements AutoCloseable {
    /** What one task does. */
    @FunctionalInterface
    interface Task {
        /**
         * Does one task.
         *
         * @param task its number, from 0
         * @param worker who runs it, below {@link Workers#threads()}: the index of its scratch memory
         */
        void run(int task, int worker);
    }

    /** Long enough to bridge the gap between two operations of a step. */
    private static final long SPIN_NANOS = 50_000;

    private static final int SPINS_PER_LOOK_AT_THE_CLOCK = 32;

    private final Thread[] team;

    /** The number of the run in the upper half, its tasks not yet handed out in the lower: one CAS claims a task. */
    private final AtomicLong ticket = new AtomicLong();

    private final AtomicInteger unfinished = new AtomicInteger();
    private final AtomicInteger parked = new AtomicInteger();

    // Written before the ticket that publishes them, and not again before every task handed out by it has ended.
    private volatile Task body = (task, worker) -> {};
    private volatile int tasks;
    private volatile Thread caller = Thread.currentThread();
    private volatile Throwable failure;
    private volatile boolean closed;

    private boolean running;

    /** A team of {@code threads}, of which the thread that calls {@link #run} is one. */
    Workers(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("threads must be at least 1, not " + threads);
        }
        team = new Thread[threads - 1];
        for (int i = 0; i < team.length; i++) {
            int worker = i + 1;
            team[i] =
                    Thread.ofPlatform().daemon().name("whirlwind-cpu-" + worker).unstarted(() -> work(worker));
        }
        for (Thread thread : team) {
            thread.start();
        }
    }

    /** Number of workers, the caller of {@link #run} included. */
    int threads() {
        return team.length + 1;
    }

    /**
     * Runs task 0 .. tasks - 1, each once, and returns when all are done. A throwable of a task is thrown here after the
     * others have ended; tasks not yet begun are then left out. A task may not call this method.
     */
    synchronized void run(int count, Task work) {
        if (running || closed) {
            throw new IllegalStateException(closed ? "the workers are closed" : "a task cannot start tasks");
        }
        if (count <= 0) {
            return;
        }
        running = true;
        try {
            if (count == 1 || team.length == 0) {
                for (int task = 0; task < count; task++) {
                    work.run(task, 0);
                }
            } else {
                fork(count, work);
            }
        } finally {
            running = false;
        }
    }

    private void fork(int count, Task work) {
        body = work;
        tasks = count;
        caller = Thread.currentThread();
        unfinished.set(count);
        long run = (ticket.get() >>> 32) + 1;
        ticket.set(run << 32 | count);
        if (parked.get() > 0) {
            for (Thread thread : team) {
                LockSupport.unpark(thread);
            }
        }
        takeTasks(run & 0xFFFF_FFFFL, 0);
        join();
        Throwable thrown = failure;
        if (thrown != null) {
            failure = null;
            throw Workers.<RuntimeException>asIs(thrown);
        }
    }

    private void join() {
        long deadline = 0;
        for (int spins = 1; unfinished.get() > 0; spins++) {
            Thread.onSpinWait();
            if (spins % SPINS_PER_LOOK_AT_THE_CLOCK == 0) {
                long now = System.nanoTime();
                if (deadline == 0) {
                    deadline = now + SPIN_NANOS;
                } else if (now > deadline) {
                    LockSupport.park(this);
                }
            }
        }
    }

    private void work(int worker) {
        long done = 0;
        while (!closed) {
            long run = awaitRunAfter(done);
            takeTasks(run, worker);
            done = run;
        }
    }

    private long awaitRunAfter(long done) {
        long deadline = System.nanoTime() + SPIN_NANOS;
        for (int spins = 1; ; spins++) {
            long run = ticket.get() >>> 32;
            if (run != done || closed) {
                return run;
            }
            Thread.onSpinWait();
            if (spins % SPINS_PER_LOOK_AT_THE_CLOCK == 0 && System.nanoTime() > deadline) {
                parked.incrementAndGet();
                while (ticket.get() >>> 32 == done && !closed) {
                    LockSupport.park(this);
                }
                parked.decrementAndGet();
            }
        }
    }

    private void takeTasks(long run, int worker) {
        while (true) {
            long now = ticket.get();
            int left = (int) now;
            if (now >>> 32 != run || left == 0) {
                return;
            }
            if (ticket.compareAndSet(now, now - 1)) {
                try {
                    if (failure == null) {
                        body.run(tasks - left, worker);
                    }
                } catch (Throwable t) {
                    failure = t;
                }
                if (unfinished.decrementAndGet() == 0 && worker != 0) {
                    LockSupport.unpark(caller);
                }
            }
        }
    }

    /** Rethrows a checked throwable as it is; a {@link Task} cannot declare one, but can throw one all the same. */
    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    private static <T extends Throwable> T asIs(Throwable thrown) throws T {
        throw (T) thrown;
    }

    /** Ends the threads; a run in progress ends first. */
    @Override
    public synchronized void close() {
        closed = true;
        for (Thread thread : team) {
            LockSupport.unpark(thread);
        }
    }
}
