<?php

declare(strict_types=1);

namespace P4;

/**
 * Everything that goes wrong in this package, on the way to the daemon, in it, or at the contact.
 *
 * The message is a sentence for a person: what happened, what is safe, what to do next. {@see P4Exception::code()} is
 * for programs; `getCode()` of PHP is a number and always 0.
 */
class P4Exception extends \RuntimeException
{
    /**
     * @param string $errorCode what happened, for programs, such as `unknown` or `no-daemon`
     * @param string $message a sentence for a person
     * @param string $type class of the error in the daemon, such as `ContactError`
     * @param array<string, mixed> $data what else belongs to it, as the daemon's JSON has it
     * @param int $status HTTP status of the daemon's answer; 0 if it did not come from one
     */
    final public function __construct(
        private readonly string $errorCode,
        string $message,
        private readonly string $type = 'LocalError',
        private readonly array $data = [],
        private readonly int $status = 0,
        ?\Throwable $previous = null,
    ) {
        parent::__construct($message, 0, $previous);
    }

    /** What happened, for programs, such as `unknown` or `no-daemon`. */
    public function code(): string
    {
        return $this->errorCode;
    }

    /** Class of the error in the daemon, such as `ContactError` or `CallRefusedError`. */
    public function type(): string
    {
        return $this->type;
    }

    /**
     * What else belongs to it.
     *
     * @return array<string, mixed>
     */
    public function data(): array
    {
        return $this->data;
    }

    /** HTTP status of the daemon's answer; 0 if it did not come from one. */
    public function status(): int
    {
        return $this->status;
    }

    /** Of a call, or of a request that was cut off: whether it may have been executed all the same. */
    public function mayHaveRun(): bool
    {
        return ($this->data['may_have_run'] ?? false) === true;
    }

    /**
     * The error that the daemon's `{"code", "message", "data"}` describes.
     *
     * @internal
     */
    public static function fromEntry(mixed $entry, int $status): self
    {
        $code = is_array($entry) ? $entry['code'] ?? null : null;
        $message = is_array($entry) ? $entry['message'] ?? null : null;
        if (!is_string($code) || !is_string($message)) {
            return new self(
                "status-$status",
                "The daemon answered with status $status and without a reason. What was accepted before is safe. "
                    . 'Look into its log: p4 log',
                status: $status,
            );
        }
        $data = is_array($entry['data'] ?? null) ? $entry['data'] : [];
        $type = is_string($data['type'] ?? null) ? $data['type'] : self::typeOfStatus($status);
        if ($type === 'CallFailed') {
            return CallFailed::because($code, $message, $data['data'] ?? null);
        }
        return new self($code, $message, $type, $data, $status);
    }

    /**
     * The error of an HTTP answer with a status of 400 or above, whatever its body is.
     *
     * @internal
     */
    public static function fromAnswer(int $status, string $body): self
    {
        $answer = json_decode($body, true);
        return self::fromEntry(is_array($answer) ? $answer['error'] ?? null : null, $status);
    }

    private static function typeOfStatus(int $status): string
    {
        return match ($status) {
            404 => 'ContactError',
            400, 409, 413, 422 => 'InputError',
            default => 'LocalError',
        };
    }
}
