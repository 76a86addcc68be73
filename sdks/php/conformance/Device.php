<?php

declare(strict_types=1);

namespace P4\Conformance;

use P4\Client;
use P4\Client\Contact;
use P4\Client\Data\ChatLine;
use P4\Client\Data\ServiceUse;
use P4\Client\Json;
use P4\Client\Receipt;

/** The device, pairing, contacts, and what is sent to them. */
final class Device
{
    /** @var array<string, Client> */
    private array $clients = [];
    /** @var array<string, Receipt> */
    private array $receipts = [];

    public function client(object $given): Client
    {
        return $this->clients[$given->client];
    }

    public function contact(object $given): Contact
    {
        return $this->client($given)->contact($given->contact);
    }

    public function close(): void
    {
        foreach ($this->clients as $client) {
            $client->close();
        }
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    public function operations(): array
    {
        return $this->aboutTheDevice() + $this->aboutPairing() + $this->aboutContacts() + $this->aboutMessages();
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    private function aboutTheDevice(): array
    {
        return [
            'connect' => function (object $given): array {
                $this->clients[$given->client] = Client::connect(
                    $given->state_dir ?? null,
                    $given->url ?? null,
                    $given->token ?? null,
                    restartSeconds: 60,
                );
                return [];
            },
            'disconnect' => function (object $given): array {
                $this->client($given)->close();
                return [];
            },
            'identity' => function (object $given): array {
                $identity = $this->client($given)->identity();
                return ['id' => $identity->id, 'name' => $identity->name, 'public_key' => $identity->publicKey];
            },
            'status' => function (object $given): array {
                $status = $this->client($given)->status();
                return ['id' => $status->id, 'contacts' => array_column($status->contacts, 'name')];
            },
            'services' => fn (object $given) => ['services' => array_map(
                static fn (ServiceUse $use) => ['service' => $use->service, 'serves_calls' => $use->servesCalls],
                $this->client($given)->services(),
            )],
            'request' => function (object $given): array {
                $body = property_exists($given, 'body') ? Json::write($given->body) : null;
                $connection = $this->client($given)->connection();
                [$type, $text] = $connection->request($given->method, $given->path, body: $body);
                return ['body' => $text === '' ? null : (str_contains($type, 'json') ? json_decode($text) : $text)];
            },
            'token.new' => function (object $given): array {
                $seconds = $given->expires_in_seconds;
                $token = $this->client($given)->newToken($given->app, $given->services, $given->contacts, $seconds);
                return ['id' => $token->id, 'token' => $token->token];
            },
            'token.list' => fn (object $given) => ['ids' => array_column($this->client($given)->tokens(), 'id')],
            'token.revoke' => fn (object $given) => (array) $this->client($given)->revokeToken($given->token_id),
        ];
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    private function aboutPairing(): array
    {
        return [
            'pairing.create' => function (object $given): array {
                $pairing = $this->client($given)->pairing;
                $invite = $pairing->create($given->name);
                $pairing->waitFindable($invite->id, 30);
                return ['invite' => $invite->id, 'text' => $invite->text];
            },
            'pairing.add' => function (object $given): array {
                $pairing = $this->client($given)->pairing;
                $contact = $pairing->add($given->text, $given->name, $given->patience_seconds);
                return ['contact' => ['id' => $contact->id, 'name' => $contact->name]];
            },
            'pairing.wait' => fn (object $given) => [
                'contact' => Protocol::contact($this->client($given)->pairing->wait($given->invite)),
            ],
            'pairing.cancel' => fn (object $given) => (array) $this->client($given)->pairing->cancel($given->invite),
        ];
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    private function aboutContacts(): array
    {
        return [
            'contact.list' => fn (object $given) => ['contacts' => array_map(
                static fn ($contact) => ['id' => $contact->id, 'name' => $contact->name],
                $this->client($given)->contacts(),
            )],
            'contact.status' => function (object $given): array {
                $status = $this->contact($given)->status();
                return ['id' => $status->id, 'name' => $status->name, 'connected' => $status->connected,
                    'queued_messages' => $status->queuedMessages];
            },
            'contact.ping' => fn (object $given) => ['round_trip_seconds' => $this->contact($given)->ping()],
            'contact.rename' => fn (object $given) => ['name' => $this->contact($given)->rename($given->name)->name],
            'contact.remove' => fn (object $given) => (array) $this->contact($given)->remove(),
            'contact.grant' => fn (object $given) => ['grants' => $this->contact($given)->grant(...$given->services)],
            'contact.revoke' => function (object $given): array {
                $this->contact($given)->revoke($given->service);
                return [];
            },
            'contact.grants' => fn (object $given) => ['grants' => $this->contact($given)->grants()],
            'contact.set_policy' => fn (object $given) => (array) $this->contact($given)->setPolicy($given->policy),
            'contact.verification' => fn (object $given) => [
                'words' => $this->contact($given)->verification()->words,
            ],
            'contact.call' => function (object $given): array {
                $argument = Protocol::value($given);
                return Json::value($this->contact($given)->call($given->service, $argument, $given->deadline_seconds));
            },
        ];
    }

    /** @return array<string, \Closure(object): array<string, mixed>> */
    private function aboutMessages(): array
    {
        return [
            'message.send' => function (object $given): array {
                $receipt = $this->contact($given)->send(
                    Protocol::value($given),
                    $given->service,
                    $given->ttl_seconds ?? null,
                    $given->latest ?? null,
                );
                $this->receipts[$given->receipt] = $receipt;
                return ['id' => $receipt->id];
            },
            'message.send_many' => fn (object $given) => ['ids' => array_column(
                $this->contact($given)->sendMany(array_map(Protocol::value(...), $given->values), $given->service),
                'id',
            )],
            'receipt.delivered' => fn (object $given) => (array) $this->receipts[$given->receipt]->delivered(
                $given->timeout_seconds,
            ),
            'receipt.consumed' => fn (object $given) => (array) $this->receipts[$given->receipt]->consumed(
                $given->timeout_seconds,
            ),
            'chat.say' => fn (object $given) => [
                'message_id' => $this->client($given)->chat->say($given->contact, $given->text)->messageId,
            ],
            'chat.history' => fn (object $given) => ['entries' => array_map(
                static fn (ChatLine $line) => ['message_id' => $line->messageId, 'mine' => $line->mine,
                    'text' => $line->text],
                $this->client($given)->chat->page($given->contact, limit: $given->limit)->entries,
            )],
        ];
    }
}
