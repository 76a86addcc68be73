<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Client;
use P4\P4Exception;
use P4\Tasks;

/** A laptop and a phone that know each other by these names, have a link, and grant each other some services. */
final class Pair
{
    private const LINK_SECONDS = 60.0;

    private function __construct(
        public readonly Daemon $laptopDaemon,
        public readonly Daemon $phoneDaemon,
        public readonly Client $laptop,
        public readonly Client $phone,
    ) {
    }

    public static function make(): self
    {
        $daemons = [new Daemon(), new Daemon()];
        try {
            array_map(static fn (Daemon $daemon) => $daemon->launch(), $daemons);
            array_map(static fn (Daemon $daemon) => $daemon->await(), $daemons);
            [$laptop, $phone] = array_map(static fn (Daemon $daemon) => $daemon->client(), $daemons);
            $invite = $laptop->pairing->create('phone');
            $host = $phone->pairing->add($invite->text, 'laptop');
            $guest = $laptop->pairing->wait($invite->id, 30);
            if ([$guest->name, $host->name] !== ['phone', 'laptop']) {
                throw new \RuntimeException('paired under other names');
            }
            foreach ([[$laptop, 'phone'], [$phone, 'laptop']] as [$one, $other]) {
                $one->contact($other)->grant('notes', 'home', 'films', 'game');
                self::connected($one, $other);
            }
            return new self($daemons[0], $daemons[1], $laptop, $phone);
        } catch (\Throwable $error) {
            array_map(static fn (Daemon $daemon) => $daemon->remove(), $daemons);
            throw $error;
        }
    }

    /** Wait until a contact is connected, and knows what was granted before. */
    public static function connected(Client $client, string $contact): void
    {
        for ($until = microtime(true) + self::LINK_SECONDS;;) {
            try {
                $client->contact($contact)->ping();
                return;
            } catch (P4Exception $error) {
                if (microtime(true) > $until) {
                    throw $error;
                }
                Tasks::sleep(0.1);
            }
        }
    }

    public function remove(): void
    {
        $this->laptopDaemon->remove();
        $this->phoneDaemon->remove();
    }
}
