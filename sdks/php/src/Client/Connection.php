<?php

declare(strict_types=1);

namespace P4\Client;

use P4\P4Exception;
use P4\Transport\ConnectionBroken;
use P4\Transport\Endpoint;
use P4\Transport\HttpExchange;
use P4\Transport\Loop;
use P4\Transport\NotSent;
use P4\Transport\Refused;
use P4\Transport\Socket;
use P4\Transport\TimedOut;
use P4\Transport\WebSocket;

/**
 * HTTP to one daemon, wherever it is at the moment. Goes on by itself when the daemon restarts, and sends nothing twice
 * that changes something.
 *
 * @internal
 */
final class Connection
{
    public const FIRST_PAUSE = 0.05;
    private const LONGEST_PAUSE = 2.0;
    private const REQUEST_SECONDS = 60.0;
    /** The daemon closes a connection that was idle for 65 s; far from that there is no doubt who was first. */
    private const IDLE_SECONDS = 30.0;
    private const MOST_IDLE = 8;
    private const REPEATABLE = ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']; // RFC 9110, section 9.2.2

    private ?Endpoint $endpoint = null;
    private bool $reached = false;
    private bool $closed = false;
    /** @var list<Socket> */
    private array $idle = [];
    /** @var \WeakMap<Socket, true> all of them; closing ends what is under way */
    private \WeakMap $sockets;
    private readonly int $process;

    /** @param \Closure(): Endpoint $find throws `no-daemon` */
    public function __construct(private readonly \Closure $find, private readonly float $restartSeconds)
    {
        $this->sockets = new \WeakMap();
        $this->process = (int) getmypid();
    }

    /** End everything that is under way, with the error `closed`. */
    public function close(): void
    {
        $this->closed = true;
        $this->idle = [];
        foreach ($this->sockets as $socket => $_) {
            $socket->close();
        }
    }

    public function isClosed(): bool
    {
        return $this->closed;
    }

    /**
     * Ask, and wait for a daemon that restarts meanwhile.
     *
     * @param array<string, string|int|float|bool|null> $parameters of the query
     * @param string|null $body JSON
     * @param bool|null $repeatable whether it may reach the daemon twice; by default if the method may
     * @param float|null $seconds for one attempt; 60 by default
     * @return array{string, string} media type and body of the answer
     * @throws P4Exception
     */
    public function request(
        string $method,
        string $path,
        array $parameters = [],
        ?string $body = null,
        ?bool $repeatable = null,
        ?float $seconds = null,
    ): array {
        $seconds ??= self::REQUEST_SECONDS;
        $path .= Json::query($parameters);
        $repeatable ??= in_array($method, self::REPEATABLE, true);
        $once = function (Endpoint $endpoint) use ($method, $path, $body, $seconds): array {
            $until = Loop::after($seconds);
            $headers = self::headers($endpoint) + ($body === null ? [] : ['Content-Type' => 'application/json']);
            $socket = $this->takeIdle() ?? $this->connect($endpoint);
            try {
                $exchange = new HttpExchange($socket);
                $exchange->begin($method, $path, $headers, $body ?? '', $until);
                $text = $exchange->body($until);
                if ($exchange->isReusable() && !$this->closed) {
                    $this->idle[] = $socket;
                    $socket = count($this->idle) > self::MOST_IDLE ? array_shift($this->idle) : null;
                }
            } catch (TimedOut $late) {
                throw self::noAnswer($seconds, $late);
            } finally {
                $socket?->close();
            }
            if ($exchange->status >= 400) {
                throw P4Exception::fromAnswer($exchange->status, $text);
            }
            return [$exchange->headers['content-type'] ?? '', $text];
        };
        return $this->reach($repeatable, $once);
    }

    /**
     * A stream of events that begins.
     *
     * @param array<string, string|int|float|bool|null> $parameters
     * @return array{Socket, HttpExchange}
     * @throws P4Exception
     * @throws TimedOut
     */
    public function follow(string $path, array $parameters, ?float $until): array
    {
        $path .= Json::query($parameters);
        return $this->reach(true, function (Endpoint $endpoint) use ($path, $until): array {
            $socket = $this->connect($endpoint);
            $exchange = new HttpExchange($socket);
            try {
                $headers = self::headers($endpoint) + ['Accept' => 'text/event-stream'];
                $exchange->begin('GET', $path, $headers, '', $until ?? Loop::after(self::REQUEST_SECONDS));
                if ($exchange->status >= 400) {
                    throw P4Exception::fromAnswer($exchange->status, $exchange->body($until));
                }
            } catch (\Throwable $error) {
                $socket->close();
                throw $error;
            }
            return [$socket, $exchange];
        }, $until);
    }

    /**
     * A WebSocket of the daemon. It ends with the daemon; whoever uses it knows how to go on.
     *
     * @param array<string, string|int|float|bool|null> $parameters
     * @throws P4Exception
     * @throws TimedOut
     */
    public function socket(string $path, array $parameters = [], ?float $until = null): JsonSocket
    {
        $path .= Json::query($parameters);
        return $this->reach(true, function (Endpoint $endpoint) use ($path, $until): JsonSocket {
            $socket = $this->connect($endpoint);
            try {
                $limit = $until ?? Loop::after(self::REQUEST_SECONDS);
                return new JsonSocket(WebSocket::open($socket, $path, self::headers($endpoint), $limit));
            } catch (\Throwable $error) {
                $socket->close();
                throw $error instanceof Refused ? P4Exception::fromAnswer($error->status, $error->body) : $error;
            }
        }, $until);
    }

    /**
     * Do something with the daemon, again and again while it restarts.
     *
     * @template T
     * @param \Closure(Endpoint): T $once
     * @return T
     */
    private function reach(bool $repeatable, \Closure $once, ?float $until = null): mixed
    {
        // One that was never there is not restarting: whoever asks is told at once.
        $deadline = Loop::now() + ($this->reached ? $this->restartSeconds : 0.0);
        for ($pause = self::FIRST_PAUSE;; $pause = min(2 * $pause, self::LONGEST_PAUSE)) {
            $this->refuseClosed();
            try {
                // It is looked for again after each failure: a restarted one may listen elsewhere.
                $this->endpoint ??= ($this->find)();
                $result = $once($this->endpoint);
                $this->reached = true;
                return $result;
            } catch (NotSent | ConnectionBroken $error) {
                $this->refuseClosed();
                if ($error instanceof ConnectionBroken && !$repeatable) {
                    throw self::lost($error);
                }
                $absent = self::noDaemon($this->endpoint?->name() ?? 'this address', $error);
                $this->endpoint = null;
                $this->idle = [];
            } catch (P4Exception $error) {
                if ($error->code() !== 'no-daemon') {
                    $this->reached = $this->reached || $error->status() > 0;
                    throw $error;
                }
                $absent = $error;
            }
            if (Loop::now() + $pause >= $deadline) {
                throw $absent;
            }
            if ($until !== null && Loop::now() + $pause >= $until) {
                throw new TimedOut('The daemon is not back in time.');
            }
            Loop::sleep($pause);
        }
    }

    /** @throws P4Exception `closed` */
    public function refuseClosed(): void
    {
        if ($this->closed) {
            throw new P4Exception('closed', 'This client has been closed. Nothing was done.');
        }
    }

    private function connect(Endpoint $endpoint): Socket
    {
        $socket = Socket::connect($endpoint->address);
        $this->sockets[$socket] = true;
        return $socket;
    }

    private function takeIdle(): ?Socket
    {
        if (getmypid() !== $this->process) {
            $this->idle = []; // of the process that forked this one: two would talk on one connection
        }
        while (($socket = array_pop($this->idle)) !== null) {
            if (Loop::now() - $socket->idleSince < self::IDLE_SECONDS && $socket->isQuiet()) {
                return $socket;
            }
            $socket->close();
        }
        return null;
    }

    /** @return array<string, string> */
    private static function headers(Endpoint $endpoint): array
    {
        return ['Host' => $endpoint->host]
            + ($endpoint->token === null ? [] : ['Authorization' => "Bearer $endpoint->token"]);
    }

    /** No daemon answers. */
    public static function noDaemon(string $where, ?\Throwable $previous = null): P4Exception
    {
        $message = "No P4 daemon answers for $where. Nothing was done. Start it: p4 up --detach";
        return new P4Exception('no-daemon', $message, previous: $previous);
    }

    /** The daemon ended in the middle of something. */
    public static function lost(?\Throwable $previous = null): P4Exception
    {
        $message = 'The daemon ended while it worked on this. It may have been done: look before you repeat it.';
        return new P4Exception('connection-lost', $message, data: ['may_have_run' => true], previous: $previous);
    }

    /** Something did not come in the time that the caller gave it. */
    public static function timeout(string $what, ?\Throwable $previous = null): P4Exception
    {
        return new P4Exception('timeout', "$what in this time. Nothing is lost: wait again.", previous: $previous);
    }

    private static function noAnswer(float $seconds, \Throwable $previous): P4Exception
    {
        $message = "The daemon did not answer within $seconds s. It may still do what was asked. "
            . 'Look at how it is: p4 status';
        return new P4Exception('no-answer', $message, data: ['may_have_run' => true], previous: $previous);
    }
}
