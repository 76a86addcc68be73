package p4.client;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** A lock, and waiting for what is guarded by it. */
final class Monitor {
    /** So often it is looked whether waiting has become senseless for a reason that nobody tells. */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Runnable check;

    /** The check throws when waiting has become senseless. */
    Monitor(Runnable check) {
        this.check = check;
    }

    <T> T get(Supplier<T> work) {
        lock.lock();
        try {
            return work.get();
        } finally {
            lock.unlock();
        }
    }

    /** Does something, and lets all that wait look again. */
    void change(Runnable work) {
        lock.lock();
        try {
            work.run();
        } finally {
            changed.signalAll();
            lock.unlock();
        }
    }

    /** Waits with the lock, which is free meanwhile; gives whether the condition came true in time. */
    boolean await(BooleanSupplier condition, Duration patience) {
        long left = patience.toNanos();
        while (!condition.getAsBoolean()) {
            check.run();
            if (left <= 0) {
                return false;
            }
            long nap = Math.min(left, LOOK_NANOS);
            try {
                left -= nap - Math.max(0, changed.awaitNanos(nap));
            } catch (InterruptedException problem) {
                throw Wire.interrupted(problem);
            }
        }
        return true;
    }

    /** As {@link #await(BooleanSupplier, Duration)}, however long it takes. */
    void await(BooleanSupplier condition) {
        while (!await(condition, Duration.ofDays(1))) {
            // The condition decides, not the time.
        }
    }
}
