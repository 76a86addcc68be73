<?php

/**
 * How fast it is: envelopes, and durable messages between two daemons that it starts (`P4_COMMAND`).
 *
 *     php bench/bench.php [--envelopes]
 */

declare(strict_types=1);

use P4\Core\Engine;
use P4\Core\Engines;
use P4\Core\Envelope;
use P4\Core\Identity;
use P4\Tasks;
use P4\Tests\Pair;
use P4\Tests\Repository;

require __DIR__ . '/../tests/bootstrap.php';

const ENVELOPES = 10_000;
const MESSAGES = 2_000;
const AT_A_TIME = 32;

foreach (Repository::engines() as $name => $engine) {
    envelopes($name, $engine);
}
if (!in_array('--envelopes', $argv, true)) {
    $two = Pair::make();
    try {
        messages($two);
    } finally {
        $two->remove();
    }
}

function envelopes(string $name, Engine $engine): void
{
    Engines::use($engine);
    [$identity, $me] = [Identity::generate(), Identity::generate()->peerId];
    $payload = ['type' => 'ping', 'session_id' => '0123456789abcdef'];
    measure("envelopes sealed, read and verified ($name)", ENVELOPES, function () use ($identity, $me, $payload): void {
        for ($count = 0; $count < ENVELOPES; $count++) {
            Envelope::parse(Envelope::seal($identity, $me, $payload))->verify($identity->publicKey, $me);
        }
    });
}

function messages(Pair $two): void
{
    $phone = $two->laptop->contact('phone');
    $phone->send(0, 'notes');
    measure('durable sends, one after the other', MESSAGES, function () use ($phone): void {
        for ($count = 0; $count < MESSAGES; $count++) {
            $phone->send($count, 'notes');
        }
    });
    measure('durable sends, ' . AT_A_TIME . ' at a time', MESSAGES, function () use ($phone): void {
        $next = 0;
        $one = function () use (&$next, $phone): void {
            while ($next++ < MESSAGES) {
                $phone->send($next, 'notes');
            }
        };
        Tasks::all(...array_fill(0, AT_A_TIME, $one));
    });
    measure('durable sends, all at once', 10 * MESSAGES, function () use ($phone): void {
        iterator_count($phone->sendAll(range(1, 10 * MESSAGES), 'notes'));
    });
    measure('messages read and done', 2 * MESSAGES, function () use ($two): void {
        $count = 0;
        foreach ($two->phone->messages('notes', window: 256) as $message) {
            $message->doneSoon();
            if (++$count === 2 * MESSAGES) {
                break;
            }
        }
    });
}

function measure(string $what, int $count, Closure $run): void
{
    $began = hrtime(true);
    $run();
    printf("%s: %d/s\n", $what, $count / ((hrtime(true) - $began) / 1e9));
}
