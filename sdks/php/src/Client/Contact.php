<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Bytes;
use P4\CallFailed;
use P4\Client;
use P4\Client\Data\ChatLine;
use P4\Client\Data\ContactStatus;
use P4\Client\Data\Verification;
use P4\P4Exception;

/**
 * A contact; made by {@see Client::contact()}. Asks nothing by itself.
 *
 * Every method throws {@see P4Exception} `unknown` or `ambiguous` if the reference names no contact.
 */
final class Contact
{
    private const CHAT = 'chat';
    private const MARGIN_SECONDS = 60.0;
    /** Values and bytes of JSON that go in one request, of 2 MiB at most. */
    private const BATCH_VALUES = 256;
    private const BATCH_BYTES = 1_000_000;

    private readonly string $path;

    /** @internal */
    public function __construct(
        private readonly Client $client,
        /** As it was given: name, id, or beginning of the id. */
        public readonly string $reference,
    ) {
        $this->path = '/v1/contacts/' . Json::quoted($reference);
    }

    /** How it is now. */
    public function status(): ContactStatus
    {
        return ContactStatus::read($this->client->request('GET', $this->path));
    }

    /** The round trip through the contact's program, seconds. */
    public function ping(): float
    {
        return (float) ($this->client->ask('POST', "$this->path/ping", repeatable: true)['round_trip'] ?? 0);
    }

    /** Cut the link, which comes back by itself; false if there was none. */
    public function drop(): bool
    {
        return ($this->client->ask('POST', "$this->path/drop")['dropped'] ?? false) === true;
    }

    /** Call it something else. Throws `name-taken`. */
    public function rename(string $name): ContactStatus
    {
        return ContactStatus::read($this->client->request('PATCH', $this->path, ['name' => $name], repeatable: true));
    }

    /** Forget it, and what waits for it and from it. */
    public function remove(): void
    {
        $this->client->request('DELETE', $this->path, repeatable: false);
    }

    /** Choose which paths to it may be used. @param string $policy `direct`, `relay-only` or `lan-only` */
    public function setPolicy(string $policy): void
    {
        $this->client->request('PUT', "$this->path/policy", ['policy' => $policy]);
    }

    /** Block it: links end at once, and it is answered as strangers are. Or be its contact again. */
    public function setBlocked(bool $blocked): void
    {
        $this->client->request('PUT', "$this->path/block", ['blocked' => $blocked]);
    }

    /** The words that two people compare. */
    public function verification(): Verification
    {
        return Verification::read($this->client->request('GET', "$this->path/verification"));
    }

    /** Record that the words for this key were compared, or take it back. Throws `changed-key`. */
    public function verify(string $publicKey, bool $verified = true): Verification
    {
        $body = ['verified' => $verified, 'public_key' => $publicKey];
        return Verification::read($this->client->request('PUT', "$this->path/verification", $body));
    }

    /**
     * The services of this device that it may use.
     *
     * @return list<string>
     */
    public function grants(): array
    {
        return $this->client->ask('GET', "$this->path/grants")['grants'] ?? [];
    }

    /**
     * Let it use these too; on disk when this returns.
     *
     * @return list<string> all that it may use then
     */
    public function grant(string ...$services): array
    {
        $body = ['services' => array_values($services)];
        return $this->client->ask('POST', "$this->path/grants", $body, repeatable: true)['grants'] ?? [];
    }

    /**
     * Let it use these no more. Throws `unknown` for what it does not have.
     *
     * @return list<string> what is left
     */
    public function revoke(string ...$services): array
    {
        foreach ($services as $service) {
            $this->client->request('DELETE', "$this->path/grants/" . Json::quoted($service), repeatable: false);
        }
        return $this->grants();
    }

    /**
     * Hand over a message. It is on disk when this returns, and arrives once, in order.
     *
     * A text for `chat` also stands in the history that `p4 chat` and the web page show.
     *
     * @param mixed $value {@see Bytes}, or what `json_encode` takes (an empty array is `[]`); up to 1 MiB
     * @param string $service which service of the contact it is for
     * @param float|null $ttlSeconds after which it is of no use; null for never
     * @param string|null $latest a key: this value replaces earlier ones with the same key that have not arrived yet
     * @throws P4Exception nothing was accepted; but `connection-lost`: the daemon ended in this moment, and it may have
     *     been
     */
    public function send(
        mixed $value,
        string $service = self::CHAT,
        ?float $ttlSeconds = null,
        ?string $latest = null,
    ): Receipt {
        if ($service === self::CHAT && is_string($value) && $ttlSeconds === null && $latest === null) {
            $line = ChatLine::read($this->client->request('POST', '/v1/chat/' . Json::quoted($this->reference), [
                'text' => $value,
            ]));
            return new ChatReceipt($this->client, $this->reference, $line);
        }
        $body = ['service' => $service] + Json::value($value) + self::given(['ttl' => $ttlSeconds, 'latest' => $latest]);
        return $this->receipt($this->client->ask('POST', "$this->path/messages", $body));
    }

    /**
     * Hand over several messages, all or none, with one write to disk. See {@see Contact::send()}.
     *
     * @param iterable<mixed> $values
     * @return list<Receipt>
     */
    public function sendMany(iterable $values, string $service, ?float $ttlSeconds = null): array
    {
        $entries = [];
        foreach ($values as $value) {
            $entries[] = Json::value($value);
        }
        $body = ['service' => $service, 'values' => $entries] + self::given(['ttl' => $ttlSeconds]);
        $receipts = $this->client->ask('POST', "$this->path/messages/batch", $body)['receipts'] ?? [];
        return array_map($this->receipt(...), $receipts);
    }

    /**
     * Hand over any number of messages, in order, many in each request. What was yielded is on disk.
     *
     *     foreach ($phone->sendAll($rows, 'notes') as $place => $receipt) { … }
     *
     * @param iterable<mixed> $values
     * @return \Generator<int, Receipt>
     */
    public function sendAll(iterable $values, string $service, ?float $ttlSeconds = null): \Generator
    {
        [$batch, $size, $place] = [[], 0, 0];
        foreach ($values as $value) {
            $length = strlen($value instanceof Bytes ? $value->data : Json::write($value)) * 4 / 3;
            if ($batch !== [] && (count($batch) >= self::BATCH_VALUES || $size + $length > self::BATCH_BYTES)) {
                foreach ($this->sendMany($batch, $service, $ttlSeconds) as $receipt) {
                    yield $place++ => $receipt;
                }
                [$batch, $size] = [[], 0];
            }
            $batch[] = $value;
            $size += $length;
        }
        foreach ($batch === [] ? [] : $this->sendMany($batch, $service, $ttlSeconds) as $receipt) {
            yield $place++ => $receipt;
        }
    }

    /** Its messages for a service; see {@see Client::messages()}. */
    public function messages(string $service, int $window = 64): Messages
    {
        return $this->client->messages($service, $this->reference, $window);
    }

    /**
     * Ask a service of the contact and wait for its reply. It is executed at most once.
     *
     * @param mixed $argument {@see Bytes}, or what `json_encode` takes; up to 1 MiB
     * @param float $deadlineSeconds after which the call is given up, here and there
     * @return mixed {@see Bytes}, or JSON with its objects as `stdClass`
     * @throws CallFailed the service said so
     * @throws P4Exception no result; {@see P4Exception::mayHaveRun()} says whether it may have been executed
     */
    public function call(string $service, mixed $argument = null, float $deadlineSeconds = 30): mixed
    {
        $body = ['deadline' => $deadlineSeconds] + Json::value($argument);
        [, $text] = $this->client->connection()->request(
            'POST',
            "$this->path/calls/" . Json::quoted($service),
            body: Json::write($body),
            seconds: $deadlineSeconds + self::MARGIN_SECONDS,
        );
        return Json::valueOf($text);
    }

    /**
     * Open a byte stream to a service: the one of this name, if it was opened before.
     *
     * @throws P4Exception `not-granted`, `too-many`
     */
    public function stream(string $service, string $name = ''): Stream
    {
        return Stream::open($this->client->connection(), $this->reference, $service, $name);
    }

    /** The next stream that it opens to a service of this device; see {@see Client::nextStream()}. */
    public function nextStream(string $service, ?float $timeoutSeconds = null): Stream
    {
        return $this->client->nextStream($service, $this->reference, $timeoutSeconds);
    }

    private function receipt(mixed $entry): Receipt
    {
        // By its id, where that was told: it may be called otherwise by the time somebody waits.
        $contact = is_string($entry['contact']['id'] ?? null) ? $entry['contact']['id'] : $this->reference;
        return new Receipt($this->client, $contact, (string) $entry['id'], (string) $entry['state']);
    }

    /**
     * @param array<string, mixed> $members
     * @return array<string, mixed>
     */
    private static function given(array $members): array
    {
        return array_filter($members, static fn (mixed $value): bool => $value !== null);
    }
}
