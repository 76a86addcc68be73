<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * Something that others make true.
 *
 * @internal
 */
final class Condition
{
    /** @var list<Waiter> */
    private array $waiters = [];

    /**
     * Wait until it is so.
     *
     * @param \Closure(): bool $isSo looked at now, and after each {@see Condition::changed()}
     * @param float|null $until by {@see Loop::now()}; null for ever
     * @return bool false if the time is over
     */
    public function wait(\Closure $isSo, ?float $until = null): bool
    {
        while (!$isSo()) {
            $inTime = Loop::wait(null, until: $until, waiting: function (Waiter $waiter): void {
                $this->waiters[] = $waiter;
            });
            if (!$inTime) {
                return $isSo();
            }
        }
        return true;
    }

    /** Something is otherwise: those who wait look. */
    public function changed(): void
    {
        array_map(Loop::wake(...), $this->waiters);
        $this->waiters = [];
    }
}
