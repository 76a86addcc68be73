<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * Waits for sockets, and lets tasks (fibers) go on while the program waits.
 *
 * There is no thread: what runs in the background does so while the program, or another task, waits for something in
 * this package. Whoever never starts a task simply blocks in `select`.
 *
 * @internal
 */
final class Loop
{
    /** @var array<int, Waiter> of tasks, by object id */
    private static array $waiters = [];
    /** @var array<int, Waiter> of programs, by object id: one, unless they have fibers of their own */
    private static array $foreground = [];
    /** @var \WeakMap<\Fiber, true>|null our tasks: any other fiber is a program of its own */
    private static ?\WeakMap $tasks = null;

    /** Seconds of a clock that only goes forward. */
    public static function now(): float
    {
        return hrtime(true) / 1e9;
    }

    /** The moment so many seconds from now; null for ever. */
    public static function after(?float $seconds): ?float
    {
        return $seconds === null ? null : self::now() + $seconds;
    }

    /** Run something now, until it waits for the first time; it goes on whenever somebody else waits. */
    public static function start(\Closure $work): \Fiber
    {
        self::$tasks ??= new \WeakMap();
        $fiber = new \Fiber($work);
        self::$tasks[$fiber] = true;
        $fiber->start();
        return $fiber;
    }

    /** End a task where it waits: {@see TaskEnded} comes out of there. */
    public static function end(\Fiber $task): void
    {
        foreach (self::$waiters as $id => $waiter) {
            if ($waiter->fiber === $task) {
                unset(self::$waiters[$id]);
                $task->throw(new TaskEnded('Another task has failed.'));
                return;
            }
        }
    }

    /**
     * Wait until a stream can be read or written, or {@see Loop::wake()} says so.
     *
     * @param resource|null $stream null to be woken only
     * @param float|null $until by {@see Loop::now()}; null for ever
     * @param (\Closure(Waiter): void)|null $waiting is told the waiter, to wake it
     * @return bool false if the time is over
     */
    public static function wait(
        mixed $stream,
        bool $write = false,
        ?float $until = null,
        ?\Closure $waiting = null,
    ): bool {
        $fiber = \Fiber::getCurrent();
        $isTask = $fiber !== null && isset(self::$tasks[$fiber]);
        $waiter = new Waiter($stream, $write, $until, $isTask ? $fiber : null);
        if ($waiting !== null) {
            $waiting($waiter);
        }
        if ($isTask) {
            self::$waiters[spl_object_id($waiter)] = $waiter;
            try {
                \Fiber::suspend();
            } finally {
                unset(self::$waiters[spl_object_id($waiter)]);
            }
        } else {
            self::$foreground[spl_object_id($waiter)] = $waiter;
            try {
                while ($waiter->result === null) {
                    self::turn($waiter);
                }
            } finally {
                unset(self::$foreground[spl_object_id($waiter)]);
            }
        }
        return $waiter->result === true;
    }

    /** Let a task, or the program, rest. */
    public static function sleep(float $seconds): void
    {
        self::wait(null, until: self::now() + $seconds);
    }

    /** A wait is over. */
    public static function wake(Waiter $waiter): void
    {
        $waiter->result ??= true;
    }

    /**
     * Close a stream; whoever waits for it goes on, and finds it closed.
     *
     * @param resource $stream
     */
    public static function close(mixed $stream): void
    {
        foreach ([...self::$waiters, ...self::$foreground] as $waiter) {
            if ($waiter->stream === $stream) {
                self::wake($waiter);
            }
        }
        fclose($stream);
    }

    private static function turn(Waiter $own): void
    {
        $ready = self::ready($own);
        foreach ($ready as $waiter) {
            // It may have gone on by now: a task that goes on can wait itself, which is another turn.
            if ($waiter->fiber !== null && isset(self::$waiters[spl_object_id($waiter)])) {
                unset(self::$waiters[spl_object_id($waiter)]);
                $waiter->fiber->resume();
            }
        }
    }

    /** @return list<Waiter> */
    private static function ready(Waiter $own): array
    {
        $all = [...array_values(self::$waiters), $own];
        $read = $write = $except = [];
        $until = null;
        foreach ($all as $place => $waiter) {
            if ($waiter->result !== null) {
                $until = 0.0;
            } else {
                if ($waiter->stream !== null) {
                    $waiter->write ? $write[$place] = $waiter->stream : $read[$place] = $waiter->stream;
                }
                $until = min($until ?? $waiter->until, $waiter->until ?? $until);
            }
        }
        $seconds = $until === null ? null : max(0.0, $until - self::now());
        if ($read !== [] || $write !== []) {
            $whole = $seconds === null ? null : (int) $seconds;
            $rest = $seconds === null ? null : (int) ceil(($seconds - $whole) * 1e6);
            // False if a signal came: then nothing is ready, and the next turn goes on.
            if (@stream_select($read, $write, $except, $whole, $rest) === false) {
                $read = $write = [];
            }
        } elseif ($seconds === null) {
            throw new \LogicException('This would wait for ever: nothing that could end it is under way.');
        } elseif ($seconds > 0) {
            usleep((int) ceil($seconds * 1e6));
        }
        $now = self::now();
        foreach ($all as $place => $waiter) {
            if (isset($read[$place]) || isset($write[$place])) {
                $waiter->result ??= true;
            } elseif ($waiter->until !== null && $waiter->until <= $now) {
                $waiter->result ??= false;
            }
        }
        return array_values(array_filter($all, static fn (Waiter $waiter): bool => $waiter->result !== null));
    }
}
