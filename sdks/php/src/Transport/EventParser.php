<?php

declare(strict_types=1);

namespace P4\Transport;

/**
 * Server-sent events (WHATWG HTML, section 9.2.6), as far as the daemon uses them. An event that the end cuts off is
 * dropped, as the standard says.
 *
 * @internal
 */
final class EventParser
{
    /** @var list<string> of a line whose end has not come */
    private array $parts = [];
    private string $kind = '';
    /** @var list<string> */
    private array $data = [];

    /**
     * What a piece completes.
     *
     * @return list<array{string, string}> event and data of each
     */
    public function push(string $piece): array
    {
        $lines = explode("\n", $piece);
        // A long line comes in many pieces: they are put together once, at its end.
        $rest = array_pop($lines);
        if ($lines !== []) {
            $lines[0] = implode('', $this->parts) . $lines[0];
            $this->parts = [];
        }
        $this->parts[] = $rest;
        $events = [];
        foreach ($lines as $line) {
            $line = str_ends_with($line, "\r") ? substr($line, 0, -1) : $line;
            if ($line !== '') {
                $this->field($line);
                continue;
            }
            if ($this->data !== []) {
                $events[] = [$this->kind !== '' ? $this->kind : 'message', implode("\n", $this->data)];
            }
            [$this->kind, $this->data] = ['', []];
        }
        return $events;
    }

    private function field(string $line): void
    {
        [$name, $value] = explode(':', $line, 2) + [1 => ''];
        $value = str_starts_with($value, ' ') ? substr($value, 1) : $value;
        if ($name === 'data') {
            $this->data[] = $value;
        } elseif ($name === 'event') {
            $this->kind = $value;
        }
    }
}
