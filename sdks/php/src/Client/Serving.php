<?php

declare(strict_types=1);

namespace P4\Client;

use P4\CallFailed;
use P4\Client\Data\ContactName;
use P4\P4Exception;
use P4\Transport\Condition;
use P4\Transport\Loop;

/**
 * A service that is answered, also after restarts of the daemon; made by {@see \P4\Client::serve()}.
 *
 * Calls are answered while the program waits for something in this package, {@see Serving::run()} being one such wait.
 */
final class Serving
{
    /** Before a service that ended with its daemon is taken up again. */
    private const PAUSE = 0.05;

    private ?JsonSocket $socket = null;
    private bool $closing = false;
    private bool $began = false;
    private bool $ended = false;
    private ?P4Exception $error = null;
    private readonly Condition $condition;
    private readonly string $path;

    /**
     * @param \Closure(IncomingCall): mixed $handler
     * @internal
     */
    public function __construct(
        private readonly Connection $connection,
        private readonly string $service,
        private readonly \Closure $handler,
    ) {
        $this->path = "/v1/services/" . Json::quoted($service) . '/serve';
        $this->condition = new Condition();
        Loop::start(function (): void {
            try {
                while (!$this->closing) {
                    $this->once();
                }
            } catch (P4Exception $error) {
                $this->error = $this->closing ? null : $error;
            } finally {
                $this->ended = true;
                $this->condition->changed();
            }
        });
        $this->condition->wait(fn (): bool => $this->began || $this->ended);
        if (!$this->began && $this->error !== null) {
            throw $this->error;
        }
    }

    /**
     * Answer calls, and do nothing else.
     *
     * @param float|null $seconds at most so long; null for ever
     * @return bool whether the service is still answered; false after {@see Serving::close()}
     * @throws P4Exception it can be served no more, such as with `no-daemon`
     */
    public function run(?float $seconds = null): bool
    {
        $this->condition->wait(fn (): bool => $this->ended, Loop::after($seconds));
        if ($this->error !== null) {
            throw $this->error;
        }
        return !$this->ended;
    }

    /** Answer no more. Calls under way fail. */
    public function close(): void
    {
        $this->closing = true;
        $this->socket?->close();
    }

    private function once(): void
    {
        $this->socket = $socket = $this->connection->socket($this->path);
        /** @var array<string, IncomingCall> $calls */
        $calls = [];
        try {
            while (!$this->closing && ($told = $socket->next()) !== null) {
                if (!$told instanceof Told) {
                    continue;
                }
                $id = $told->text('id');
                if ($told->type() === 'serving') {
                    $this->began = true;
                    $this->condition->changed();
                } elseif ($told->type() === 'cancel') {
                    ($calls[$id] ?? null)?->cancel();
                } elseif ($told->type() === 'call') {
                    Loop::start(function () use ($socket, $id, $told, &$calls): void {
                        $this->answer($socket, $id, $told, $calls);
                        unset($calls[$id]);
                    });
                }
            }
        } finally {
            $socket->close();
            foreach ($calls as $call) {
                $call->cancel();
            }
        }
        if (!$this->closing) {
            Loop::sleep(self::PAUSE);
        }
    }

    /** @param array<string, IncomingCall> $calls */
    private function answer(JsonSocket $socket, string $id, Told $told, array &$calls): void
    {
        $call = null;
        try {
            $call = $calls[$id] = new IncomingCall(
                ContactName::read($told->fields['contact'] ?? null),
                $told->text('service') !== '' ? $told->text('service') : $this->service,
                Json::valueOf($told->text),
                (float) ($told->fields['remaining'] ?? 0),
            );
            $reply = ['type' => 'result', 'id' => $id] + Json::value(($this->handler)($call));
            Json::write($reply); // what is no JSON is the handler's fault, and said here
        } catch (\Throwable $error) {
            $reply = ['type' => 'failed', 'id' => $id] + $this->reason($error);
        }
        if ($call?->wasCancelled() === true) {
            return; // nobody waits any more
        }
        try {
            $socket->send($reply);
        } catch (P4Exception) {
            // The daemon ended meanwhile: the caller was told that it may have run.
        }
    }

    /** @return array{code: string, message: string, data: mixed} */
    private function reason(\Throwable $error): array
    {
        if ($error instanceof CallFailed) {
            return ['code' => $error->code(), 'message' => $error->getMessage(), 'data' => $error->serviceData()];
        }
        error_log("The handler of calls for $this->service failed: $error");
        return ['code' => 'internal', 'message' => 'The service failed; its own log knows more.', 'data' => null];
    }
}
