<?php

declare(strict_types=1);

namespace P4;

use P4\Transport\Condition;
use P4\Transport\Loop;

/**
 * Several things at once in one program, without threads: while one of them waits for something in this package, the
 * others go on. What waits elsewhere (`sleep`, a database) holds up all of them.
 *
 *     Tasks::all(
 *         function () use ($me) { foreach ($me->messages('notes') as $message) { … } },
 *         function () use ($phone) { $phone->send('hello', 'notes'); Tasks::sleep(1); },
 *     );
 */
final class Tasks
{
    private const PIECE = 8192;

    /**
     * Do all of it at once, and wait until all of it is done. If one fails the others are ended where they wait.
     *
     * @template T
     * @param \Closure(): T ...$works
     * @return array<T> what each gave, under the same keys
     * @throws \Throwable the first error of one of them
     */
    public static function all(\Closure ...$works): array
    {
        $condition = new Condition();
        [$results, $left, $error, $tasks] = [array_map(static fn () => null, $works), count($works), null, []];
        foreach ($works as $key => $work) {
            $tasks[] = Loop::start(static function () use ($key, $work, $condition, &$results, &$left, &$error): void {
                try {
                    $results[$key] = $work();
                } catch (\Throwable $failure) {
                    $error ??= $failure;
                } finally {
                    $left--;
                    $condition->changed();
                }
            });
        }
        $condition->wait(static function () use (&$left, &$error): bool {
            return $left === 0 || $error !== null;
        });
        if ($error !== null) {
            array_map(Loop::end(...), $tasks);
            throw $error;
        }
        return $results;
    }

    /** Rest, while others go on. */
    public static function sleep(float $seconds): void
    {
        Loop::sleep($seconds);
    }

    /**
     * The lines of a stream of PHP, such as `STDIN`, without their ends; others go on while one is waited for.
     *
     * @param resource $stream
     * @return \Generator<int, string>
     */
    public static function lines(mixed $stream): \Generator
    {
        $begun = '';
        do {
            Loop::wait($stream);
            $data = (string) fread($stream, self::PIECE);
            $lines = explode("\n", $data);
            $lines[0] = $begun . $lines[0];
            $begun = (string) array_pop($lines);
            foreach ($lines as $line) {
                yield rtrim($line, "\r");
            }
        } while ($data !== '' || !feof($stream));
        if ($begun !== '') {
            yield $begun;
        }
    }
}
