<?php

/** Reads requests, does them one after the other, writes answers: conformance/README.md. */

declare(strict_types=1);

namespace P4\Conformance;

use P4\Tasks;

require __DIR__ . '/../autoload.php';
foreach (['Protocol', 'Core', 'Device', 'HeldStream', 'Channels'] as $name) {
    require __DIR__ . "/$name.php";
}
ini_set('display_errors', 'stderr');
ini_set('memory_limit', '512M');

$device = new Device();
$channels = new Channels($device);
$protocol = new Protocol((new Core())->operations() + $device->operations() + $channels->operations());
// What was begun, such as serving, goes on while a line is waited for.
foreach (Tasks::lines(STDIN) as $line) {
    fwrite(STDOUT, $protocol->answer($line) . "\n");
    fflush(STDOUT);
}
$channels->close();
$device->close();
