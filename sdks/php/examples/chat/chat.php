<?php

/**
 * A small chat with one contact:
 *
 *     php chat.php CONTACT [STATE_DIRECTORY]
 *
 * It shows the last lines of the history, then what is said from now on; each line that you type is sent. The daemon may
 * restart meanwhile.
 */

declare(strict_types=1);

use P4\Client;
use P4\Client\Data\ChatLine;
use P4\Client\Events;
use P4\P4Exception;
use P4\Tasks;

$composer = __DIR__ . '/vendor/autoload.php';
require is_file($composer) ? $composer : __DIR__ . '/../../autoload.php';

if ($argc < 2 || $argc > 3) {
    fwrite(STDERR, "Usage: php chat.php CONTACT [STATE_DIRECTORY]\n");
    exit(2);
}
try {
    chat(Client::connect($argv[2] ?? null), $argv[1]);
} catch (P4Exception $error) {
    fwrite(STDERR, "{$error->getMessage()} [{$error->code()}]\n");
    exit(1);
}

function chat(Client $me, string $reference): void
{
    $contact = $me->contact($reference)->status();
    $events = $me->events([Events::OPENED, 'chat.message']);
    Tasks::all(
        static function () use ($me, $contact, $events): void {
            $shown = 0;
            // Whenever events begin anew some may have been missed, so the history is asked. It has each line once.
            foreach ($events as $event) {
                if ($event->kind === 'chat.message' && $event->data['contact']['id'] !== $contact->id) {
                    continue;
                }
                foreach ($me->chat->page($contact->id, limit: 20)->entries as $line) {
                    if ((int) $line->id > $shown) {
                        echo shownLine($line, $contact->label()), "\n";
                        $shown = (int) $line->id;
                        $last = $line;
                    }
                }
                if (isset($last) && !$last->mine) {
                    $me->chat->markRead($contact->id, $last->id);
                }
            }
        },
        static function () use ($me, $contact, $events): void {
            foreach (Tasks::lines(STDIN) as $text) {
                if (trim($text) !== '') {
                    $me->chat->say($contact->id, $text);
                }
            }
            $events->close();
        },
    );
}

function shownLine(ChatLine $line, string $name): string
{
    // The text is a stranger's: nothing in it may steer the terminal.
    $text = preg_replace('/[\p{Cc}\p{Cf}]/u', '·', $line->text);
    return ($line->mine ? 'me' : $name) . ": $text";
}
