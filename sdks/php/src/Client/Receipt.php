<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Client;
use P4\P4Exception;
use P4\Transport\Loop;

/** One accepted message and what becomes of it. */
class Receipt
{
    /** The states of a message that arrives, in their order; `sending` and `seen` are those of chat only. */
    private const PROGRESS = ['sending', 'queued', 'delivered', 'consumed', 'seen'];
    private const WAIT_SECONDS = 60.0;

    /** @internal */
    public function __construct(
        protected readonly Client $client,
        private readonly string $contact,
        /** Names the message for ever; the contact's application sees the same. */
        public readonly string $id,
        protected string $state,
    ) {
    }

    /** `queued`, `delivered`, `consumed` or `dropped`, as far as this receipt has been told. */
    public function state(): string
    {
        return $this->state;
    }

    /**
     * Wait until it is on the contact's disk.
     *
     * @param float|null $timeoutSeconds null for ever
     * @throws P4Exception `timeout`; type `DeliveryError`: it never will be; `unknown`: the daemon has restarted since
     *     and does not remember, but the message arrives all the same
     */
    public function delivered(?float $timeoutSeconds = null): void
    {
        $this->wait('delivered', Loop::after($timeoutSeconds));
    }

    /** Wait until the contact's application has taken it. Throws as {@see Receipt::delivered()}. */
    public function consumed(?float $timeoutSeconds = null): void
    {
        $this->wait('consumed', Loop::after($timeoutSeconds));
    }

    /** Wait until it has come so far. */
    protected function wait(string $wanted, ?float $until): void
    {
        $path = '/v1/contacts/' . Json::quoted($this->contact) . '/receipts/' . Json::quoted($this->id);
        while (!$this->hasCome($wanted)) {
            $seconds = $until === null ? self::WAIT_SECONDS : min(self::WAIT_SECONDS, max(0.0, $until - Loop::now()));
            $parameters = ['wait' => $wanted, 'timeout' => $seconds];
            $entry = (array) $this->client->request('GET', $path, parameters: $parameters, timeoutSeconds: $seconds + 60);
            $this->state = (string) ($entry['state'] ?? '');
            if ($this->state === 'dropped') {
                $reason = (string) ($entry['reason'] ?? '') ?: 'dropped';
                throw self::dropped($reason, $reason);
            }
            if ($until !== null && Loop::now() >= $until && !$this->hasCome($wanted)) {
                throw Connection::timeout("The message was not $wanted");
            }
        }
    }

    /** Whether it has come so far. */
    protected function hasCome(string $wanted): bool
    {
        return (int) array_search($this->state, self::PROGRESS, true) >= array_search($wanted, self::PROGRESS, true);
    }

    protected static function dropped(string $code, string $reason): P4Exception
    {
        return new P4Exception($code, "The message will not arrive: $reason.", 'DeliveryError');
    }
}
