<?php

declare(strict_types=1);

namespace P4;

use P4\Client\Chat;
use P4\Client\Connection;
use P4\Client\Contact;
use P4\Client\Data\ContactStatus;
use P4\Client\Data\DeviceIdentity;
use P4\Client\Data\DeviceStatus;
use P4\Client\Data\Diagnosis;
use P4\Client\Data\NewToken;
use P4\Client\Data\Rotation;
use P4\Client\Data\ServiceUse;
use P4\Client\Data\TokenRecord;
use P4\Client\Data\WebLogin;
use P4\Client\Datagrams;
use P4\Client\Events;
use P4\Client\IncomingCall;
use P4\Client\Json;
use P4\Client\JsonSocket;
use P4\Client\Messages;
use P4\Client\Pairing;
use P4\Client\Serving;
use P4\Client\Stream;
use P4\Transport\Endpoint;
use P4\Transport\Loop;
use P4\Transport\TimedOut;

/**
 * A connection to the daemon; made by {@see Client::connect()}.
 *
 * It goes on by itself when the daemon restarts: what is asked while the daemon is away waits for it, and then throws
 * `no-daemon`. Every method throws {@see P4Exception} with the daemon's code.
 */
final class Client
{
    /** Invites of this device, and taking those of others. */
    public readonly Pairing $pairing;
    /** What people say to each other. */
    public readonly Chat $chat;

    private function __construct(private readonly Connection $connection)
    {
        $this->pairing = new Pairing($this);
        $this->chat = new Chat($this);
    }

    /**
     * A client of the daemon.
     *
     * @param string|null $stateDirectory directory of the device; `~/.p4` by default. Its daemon is found by what it
     *     wrote there.
     * @param string|null $url instead of a directory: address of the daemon, `http://127.0.0.1:PORT`
     * @param string|null $token what `p4 token new` gave your application, with the address
     * @param float $restartSeconds how long a request waits for a daemon that has gone
     * @throws P4Exception `no-daemon`: none runs, `p4 up` starts one; `bad-endpoint`: both a directory and an address are
     *     given, or a token without an address, or something that is no address
     */
    public static function connect(
        ?string $stateDirectory = null,
        ?string $url = null,
        #[\SensitiveParameter] ?string $token = null,
        float $restartSeconds = 20,
    ): self {
        if (($stateDirectory !== null && $url !== null) || ($token !== null && $url === null)) {
            throw self::badEndpoint('Give either a state directory, or an address and a token.');
        }
        if ($url !== null) {
            try {
                $endpoint = Endpoint::ofUrl($url, $token);
            } catch (\InvalidArgumentException $error) {
                throw self::badEndpoint($error->getMessage());
            }
            $find = static fn (): Endpoint => $endpoint;
        } else {
            $directory = $stateDirectory ?? self::home() . '/.p4';
            $find = static fn (): Endpoint => self::find($directory);
        }
        $client = new self(new Connection($find, $restartSeconds));
        $client->identity();
        return $client;
    }

    /** Close the connection. The daemon goes on. What is under way ends with the error `closed`. */
    public function close(): void
    {
        $this->connection->close();
    }

    // -- the device ----------------------------------------------------------------------------------------

    /** Who this device is. */
    public function identity(): DeviceIdentity
    {
        return DeviceIdentity::read($this->request('GET', '/v1/identity'));
    }

    /** Call this device otherwise towards those it pairs with from now on; empty for the machine's name. */
    public function renameDevice(string $name): DeviceIdentity
    {
        return DeviceIdentity::read($this->request('PATCH', '/v1/identity', ['name' => $name], repeatable: true));
    }

    /** How the node and all its contacts are. */
    public function status(): DeviceStatus
    {
        return DeviceStatus::read($this->request('GET', '/v1/status'));
    }

    /** What keeps this device from its contacts. @param bool $tor also looks at Tor, which takes longer */
    public function doctor(bool $tor = true): Diagnosis
    {
        return Diagnosis::read($this->request('GET', '/v1/doctor', parameters: ['tor' => $tor]));
    }

    /** Figures in Prometheus' text format. */
    public function metrics(): string
    {
        return (string) $this->request('GET', '/v1/metrics');
    }

    /**
     * Who serves and reads what in this daemon.
     *
     * @return list<ServiceUse>
     */
    public function services(): array
    {
        return ServiceUse::readAll($this->ask('GET', '/v1/services')['services'] ?? null);
    }

    /** Ask the daemon to end; gives its process id. What was accepted is on disk. */
    public function shutdown(): int
    {
        return (int) ($this->ask('POST', '/v1/shutdown')['pid'] ?? 0);
    }

    /** Where the last change of the device's key stands. */
    public function rotation(): Rotation
    {
        return Rotation::read($this->request('GET', '/v1/identity/rotation'));
    }

    /** Take a new key; contacts follow. Never asked twice, for each is another one. */
    public function rotate(): Rotation
    {
        return Rotation::read($this->request('POST', '/v1/identity/rotation'));
    }

    // -- contacts ------------------------------------------------------------------------------------------

    /**
     * A contact by its name, its id, or a unique beginning of its id; looked up when it is used.
     *
     * @throws P4Exception `bad-name`: it cannot name anything
     */
    public function contact(string $reference): Contact
    {
        return new Contact($this, $reference);
    }

    /**
     * All contacts, and how each is.
     *
     * @return list<ContactStatus>
     */
    public function contacts(): array
    {
        return ContactStatus::readAll($this->ask('GET', '/v1/contacts')['contacts'] ?? null);
    }

    // -- what contacts send and ask ------------------------------------------------------------------------

    /**
     * The messages of contacts for a service, each once.
     *
     *     foreach ($me->messages('notes') as $message) {
     *         keep($message->value());
     *         $message->done();
     *     }
     *
     * @param string|null $contact only those of this contact, by name or id
     * @param int $window how many come before one must be done, 1 to 256
     */
    public function messages(string $service, ?string $contact = null, int $window = 64): Messages
    {
        return new Messages($this->connection, $service, $contact, $window);
    }

    /**
     * The next byte stream that a contact opens to a service; waits for it.
     *
     * One that was not finished comes again, also after restarts: go on at its `position()`.
     *
     * @param float|null $timeoutSeconds null for ever
     * @throws P4Exception `timeout`
     */
    public function nextStream(string $service, ?string $contact = null, ?float $timeoutSeconds = null): Stream
    {
        return Stream::accept($this->connection, $service, $contact, null, Loop::after($timeoutSeconds));
    }

    /** Datagrams of a service, from and to all contacts. */
    public function datagrams(string $service): Datagrams
    {
        return new Datagrams($this->connection, $service);
    }

    /**
     * Answer the calls for a service, also after restarts of the daemon. Returns when calls are taken; they are answered
     * while the program waits for something in this package, such as {@see Serving::run()}.
     *
     * @param callable(IncomingCall): mixed $handler gives the result: {@see Bytes}, or what `json_encode` takes; a
     *     {@see CallFailed} that it throws reaches the caller
     * @throws P4Exception `already-served`, `no-daemon`
     */
    public function serve(string $service, callable $handler): Serving
    {
        return new Serving($this->connection, $service, $handler(...));
    }

    /**
     * What happens in the daemon from now on.
     *
     * @param list<string> $kinds only these, such as `link.up`; none for all. `feed.missed` comes in any case, and
     *     {@see Events::OPENED}, if it is named, whenever events come from then on: look at how things are.
     */
    public function events(array $kinds = []): Events
    {
        return new Events($this->connection, $kinds);
    }

    // -- who else may use the daemon -----------------------------------------------------------------------

    /**
     * The tokens of apps, without their secrets.
     *
     * @return list<TokenRecord>
     */
    public function tokens(): array
    {
        return TokenRecord::readAll($this->ask('GET', '/v1/tokens')['tokens'] ?? null);
    }

    /**
     * Make a token for an app.
     *
     * @param list<string>|null $services it may use, each covering all below it; null for all
     * @param list<string>|null $contacts it may reach, by name or id; null for all
     * @param float|null $expiresInSeconds null for never
     */
    public function newToken(
        string $app,
        ?array $services,
        ?array $contacts = null,
        ?float $expiresInSeconds = null,
    ): NewToken {
        $body = ['app' => $app, 'services' => $services, 'contacts' => $contacts, 'expires_in' => $expiresInSeconds];
        return NewToken::read($this->request('POST', '/v1/tokens', $body));
    }

    /** End a token, and what is under way with it. Throws `unknown`. */
    public function revokeToken(string $id): void
    {
        $this->request('DELETE', '/v1/tokens/' . Json::quoted($id), repeatable: false);
    }

    /** A link that logs one browser of this machine in, once, within a minute. */
    public function webLogin(): WebLogin
    {
        return WebLogin::read($this->request('POST', '/v1/web-logins'));
    }

    // -- what everything else is made of -------------------------------------------------------------------

    /**
     * Ask the daemon for anything (spec/daemon-api).
     *
     * @param string $path with `/v1`, names in it quoted
     * @param mixed $body a JSON value; null for none
     * @param array<string, string|int|float|bool|null> $parameters of the query; what is null is left out
     * @param bool|null $repeatable whether it may reach the daemon twice, if that restarts; by default if the method may
     * @param float|null $timeoutSeconds for one attempt; 60 by default
     * @return mixed the JSON value of the answer with objects as arrays, null for an empty one, text for any other
     * @throws P4Exception what the daemon says; `no-daemon`, `no-answer`, or `connection-lost`: it may have been done
     */
    public function request(
        string $method,
        string $path,
        mixed $body = null,
        array $parameters = [],
        ?bool $repeatable = null,
        ?float $timeoutSeconds = null,
    ): mixed {
        $json = $body === null ? null : Json::write($body);
        $answer = $this->connection->request($method, $path, $parameters, $json, $repeatable, $timeoutSeconds);
        [$mediaType, $text] = $answer;
        if ($text === '') {
            return null;
        }
        return preg_match('/\bjson\b/', $mediaType) === 1 ? Json::read($text) : $text;
    }

    /**
     * A WebSocket of the daemon; it ends with the daemon.
     *
     * @param array<string, string|int|float|bool|null> $parameters of the query
     */
    public function socket(string $path, array $parameters = [], ?float $timeoutSeconds = null): JsonSocket
    {
        try {
            return $this->connection->socket($path, $parameters, Loop::after($timeoutSeconds));
        } catch (TimedOut $late) {
            throw Connection::timeout('The WebSocket was not opened', $late);
        }
    }

    /**
     * As {@see Client::request()}, for answers that are an object.
     *
     * @return array<string, mixed>
     * @internal
     */
    public function ask(string $method, string $path, mixed $body = null, ?bool $repeatable = null): array
    {
        $answer = $this->request($method, $path, $body, repeatable: $repeatable);
        return is_array($answer) ? $answer : [];
    }

    /** @internal */
    public function connection(): Connection
    {
        return $this->connection;
    }

    /** What the daemon that works on a directory has written about itself. It may have been killed since. */
    private static function find(string $directory): Endpoint
    {
        $text = @file_get_contents("$directory/daemon/endpoint.json");
        $entry = $text === false ? null : json_decode($text, true);
        $unix = $entry['unix_path'] ?? null;
        if (is_string($unix) && in_array('unix', stream_get_transports(), true)) {
            return new Endpoint("unix://$unix", 'localhost');
        }
        if (is_int($entry['port'] ?? null) && is_string($entry['owner_token'] ?? null)) {
            return Endpoint::ofUrl("http://127.0.0.1:$entry[port]", $entry['owner_token']);
        }
        throw Connection::noDaemon($directory);
    }

    private static function home(): string
    {
        // Web servers do not always say where their user is at home.
        $home = getenv('HOME') ?: getenv('USERPROFILE');
        if (!is_string($home) && function_exists('posix_getpwuid')) {
            $home = posix_getpwuid(posix_geteuid())['dir'] ?? false;
        }
        return is_string($home) ? $home : throw self::badEndpoint('Which directory is meant? Name the state directory.');
    }

    private static function badEndpoint(string $message): P4Exception
    {
        return new P4Exception('bad-endpoint', $message, 'InputError');
    }
}
