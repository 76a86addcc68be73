<?php

declare(strict_types=1);

namespace P4\Client;

use P4\Client;
use P4\Client\Data\ContactName;
use P4\Client\Data\ContactStatus;
use P4\Client\Data\DeviceInvite;
use P4\P4Exception;
use P4\Transport\Loop;

/**
 * Pairing of this device, {@see Client::$pairing}.
 *
 *     $invite = $me->pairing->create();
 *     echo $invite->text;
 *     $phone = $me->pairing->wait($invite->id);
 */
final class Pairing
{
    private const PATH = '/v1/invites';
    private const WAIT_SECONDS = 25.0;

    /** @internal */
    public function __construct(private readonly Client $client)
    {
    }

    /**
     * Make an invite; on the daemon's disk when this returns.
     *
     * @param string $name what the guest shall be called; empty for what it calls itself
     * @param string $kind `link`, `words` or `local-words`
     * @throws P4Exception
     */
    public function create(string $name = '', string $kind = 'link', float $lifetimeSeconds = 600): DeviceInvite
    {
        $body = ['kind' => $kind, 'lifetime' => $lifetimeSeconds, 'name' => $name];
        return DeviceInvite::read($this->client->request('POST', self::PATH, $body));
    }

    /**
     * The open ones, the oldest first.
     *
     * @return list<DeviceInvite>
     * @throws P4Exception
     */
    public function list(): array
    {
        return DeviceInvite::readAll($this->client->ask('GET', self::PATH)['invites'] ?? null);
    }

    /**
     * Wait until a guest would find the device by an invite, or the invite has ended.
     *
     * @param float|null $timeoutSeconds null for ever
     * @throws P4Exception `timeout`, `unknown`
     */
    public function waitFindable(string $inviteId, ?float $timeoutSeconds = null): DeviceInvite
    {
        $until = Loop::after($timeoutSeconds);
        do {
            $invite = $this->read($inviteId, 'findable', $until);
        } while (!$invite->findable && $invite->isOpen());
        return $invite;
    }

    /**
     * Wait until both sides are paired, and give the guest. Goes on over restarts of the daemon.
     *
     * @param float|null $timeoutSeconds null for ever
     * @throws P4Exception type `PairingError`: it ended otherwise, with the reason as its code; `timeout`
     */
    public function wait(string $inviteId, ?float $timeoutSeconds = null): ContactName
    {
        $until = Loop::after($timeoutSeconds);
        for (;;) {
            $invite = $this->read($inviteId, 'ended', $until);
            if ($invite->contact !== null) {
                return $invite->contact;
            }
            if ($invite->state === 'closed') {
                Loop::sleep(1.0); // the daemon ends; its next run has the invite
            } elseif (!$invite->isOpen()) {
                throw new P4Exception($invite->state, $invite->message, 'PairingError');
            }
        }
    }

    /**
     * Take an invite back; one that has ended stays as it is.
     *
     * @throws P4Exception
     */
    public function cancel(string $inviteId): void
    {
        $this->client->request('DELETE', self::PATH . '/' . Json::quoted($inviteId));
    }

    /**
     * Take the invite of another device.
     *
     * @param string $invite a link, words, or the JSON of version 1
     * @param string $name what the device shall be called here; empty for what it calls itself
     * @param float $patienceSeconds how long it is looked for
     * @return ContactStatus the contact; both sides have each other on disk
     * @throws P4Exception
     */
    public function add(string $invite, string $name = '', float $patienceSeconds = 120): ContactStatus
    {
        $body = ['invite' => $invite, 'name' => $name, 'patience' => $patienceSeconds];
        return ContactStatus::read($this->client->request(
            'POST',
            '/v1/pairings',
            $body,
            repeatable: true, // to be paired twice by the same link is to be paired
            timeoutSeconds: $patienceSeconds + 30,
        ));
    }

    private function read(string $inviteId, string $wait, ?float $until): DeviceInvite
    {
        $seconds = $until === null ? self::WAIT_SECONDS : min(self::WAIT_SECONDS, $until - Loop::now());
        if ($seconds < 0) {
            throw Connection::timeout('The invite was not used');
        }
        $path = self::PATH . '/' . Json::quoted($inviteId);
        $parameters = ['wait' => $wait, 'timeout' => $seconds];
        return DeviceInvite::read($this->client->request('GET', $path, parameters: $parameters));
    }
}
