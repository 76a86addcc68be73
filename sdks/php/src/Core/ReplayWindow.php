<?php

declare(strict_types=1);

namespace P4\Core;

use P4\P4Exception;

/**
 * Which envelopes of one sender were accepted (spec/envelope.md, "Replay"). Immutable; put the new one on disk before you
 * act on an envelope: {@see ReplayWindow::jsonSerialize()} and {@see ReplayWindow::fromJson()}.
 */
final class ReplayWindow implements \JsonSerializable
{
    /** Accepted difference of clocks in milliseconds, either way: 24 hours. */
    public const MAX_SKEW_MS = 24 * 60 * 60 * 1000;
    /** Most entries that are kept, usually. */
    public const CAPACITY = 4096;

    /** Everything with this time or an older one is refused. */
    public readonly int $floorMs;
    /** @var list<ReplayEntry> accepted envelopes above the floor, oldest first */
    public readonly array $entries;
    /** @var array<string, true> */
    private readonly array $nonces;

    /**
     * A window as it was kept; without arguments an empty one.
     *
     * @param list<ReplayEntry> $entries
     */
    public function __construct(
        int $floorMs = 0,
        array $entries = [],
        /** Most entries that are kept. */
        public readonly int $capacity = self::CAPACITY,
    ) {
        $above = static fn (ReplayEntry $entry): bool => $entry->timestampMs > $floorMs;
        // What comes from a disk is brought into order rather than trusted.
        $entries = array_values(array_filter($entries, $above));
        usort($entries, static fn (ReplayEntry $one, ReplayEntry $other): int
            => [$one->timestampMs, "n$one->nonceHex"] <=> [$other->timestampMs, "n$other->nonceHex"]);
        $surplus = count($entries) - $capacity;
        if ($surplus > 0) {
            $floorMs = $entries[$surplus - 1]->timestampMs;
            $entries = array_slice($entries, $surplus);
            $entries = array_values(array_filter($entries, fn (ReplayEntry $one) => $one->timestampMs > $floorMs));
        }
        $this->floorMs = $floorMs;
        $this->entries = $entries;
        $nonces = [];
        foreach ($entries as $entry) {
            $nonces["n$entry->nonceHex"] = true;
        }
        $this->nonces = $nonces;
    }

    /**
     * The window after accepting an envelope, in whatever order envelopes arrive.
     *
     * @throws P4Exception `replayed`: accepted before, or too old to tell
     */
    public function accept(string $nonceHex, int $timestampMs): self
    {
        if ($timestampMs <= $this->floorMs) {
            throw self::replayed('The envelope is older than what we remember.');
        }
        if (isset($this->nonces["n$nonceHex"])) {
            throw self::replayed('The envelope was received before.');
        }
        $entries = [...$this->entries, new ReplayEntry($timestampMs, $nonceHex)];
        return new self($this->floorMs, $entries, $this->capacity);
    }

    /** Forget entries that are more than 24 hours old, and raise the floor to the newest of them. */
    public function prune(int $nowMs): self
    {
        $floorMs = $this->floorMs;
        foreach ($this->entries as $entry) {
            if ($entry->timestampMs < $nowMs - self::MAX_SKEW_MS) {
                $floorMs = $entry->timestampMs;
            }
        }
        return $floorMs === $this->floorMs ? $this : new self($floorMs, $this->entries, $this->capacity);
    }

    /**
     * For `json_encode`.
     *
     * @return array<string, mixed>
     */
    public function jsonSerialize(): array
    {
        return [
            'capacity' => $this->capacity,
            'entries' => array_map(fn (ReplayEntry $entry) => [$entry->timestampMs, $entry->nonceHex], $this->entries),
            'floor_ms' => $this->floorMs,
        ];
    }

    /**
     * The window that `json_encode` wrote.
     *
     * @throws P4Exception `not-json`, `bad-field`: it is something else
     */
    public static function fromJson(string $text): self
    {
        $kept = JsonReader::object($text, 'CorruptFileError');
        $entries = $kept['entries'];
        if (!is_int($kept['floor_ms']) || !is_int($kept['capacity']) || !is_array($entries)) {
            throw new P4Exception('bad-field', 'This is no replay window.', 'CorruptFileError');
        }
        $read = [];
        foreach ($entries as $entry) {
            if (!is_array($entry) || !is_int($entry[0] ?? null) || !is_string($entry[1] ?? null)) {
                throw new P4Exception('bad-field', 'An entry of the replay window is damaged.', 'CorruptFileError');
            }
            $read[] = new ReplayEntry($entry[0], $entry[1]);
        }
        return new self($kept['floor_ms'], $read, $kept['capacity']);
    }

    private static function replayed(string $message): P4Exception
    {
        return new P4Exception('replayed', $message, 'EnvelopeError');
    }
}
