package gaitkeeper.peers;

import java.util.concurrent.atomic.LongAdder;

/** Counts the events of this process, and says so when it ends: the bench holds that against what it offered. */
public final class Tally {
    private static final LongAdder EVENTS = new LongAdder();

    private Tally() {}

    /** One more event was judged. */
    public static void count() {
        EVENTS.increment();
    }

    /** Prints the count when the process is asked to end, after `before` has run. */
    public static void sayAtEnd(Runnable before) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            before.run();
            System.out.println("processed " + EVENTS.sum());
            System.out.flush();
        }));
    }
}
