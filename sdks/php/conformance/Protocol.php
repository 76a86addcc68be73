<?php

declare(strict_types=1);

namespace P4\Conformance;

use P4\Bytes;
use P4\CallFailed;
use P4\Client\Data\ContactName;
use P4\Client\Json;
use P4\Core\CanonicalJson;
use P4\Core\JsonObject;
use P4\Core\JsonReader;
use P4\P4Exception;

/** Requests and answers of the command, a line each. */
final class Protocol
{
    /** @param array<string, \Closure(object): array<string, mixed>> $operations by their names */
    public function __construct(private readonly array $operations)
    {
    }

    /** The answer to a request. */
    public function answer(string $line): string
    {
        $request = self::read($line);
        $run = $this->operations[$request->operation] ?? null;
        try {
            $answer = $run === null
                ? ['unsupported' => "PHP's command does not know $request->operation"]
                : ['result' => $run($request->arguments) ?: new \stdClass()];
        } catch (P4Exception $error) {
            $entry = ['code' => $error->code(), 'message' => $error->getMessage(), 'type' => $error->type()];
            if (str_ends_with($request->operation, '.call')) {
                $entry['may_have_run'] = $error->mayHaveRun();
            }
            if ($error instanceof CallFailed) {
                $entry['service_data'] = $error->serviceData();
            }
            $answer = ['error' => $entry];
        } catch (\Throwable $error) {
            $answer = ['failed' => (string) $error];
        }
        return self::write(['id' => $request->id] + $answer);
    }

    /** A value in arguments. */
    public static function value(object $arguments): mixed
    {
        return property_exists($arguments, 'base64')
            ? new Bytes((string) base64_decode($arguments->base64, true))
            : $arguments->value;
    }

    /** @return array{id: string, name: string} */
    public static function contact(ContactName $contact): array
    {
        return ['id' => $contact->id, 'name' => $contact->name];
    }

    private static function read(string $line): object
    {
        $request = json_decode($line, false, 1024);
        if ($request === null && json_last_error() === JSON_ERROR_INVALID_PROPERTY_NAME) {
            // A key that begins with a NUL, which only our own objects hold.
            $read = JsonReader::object($line);
            $request = (object) $read->toArray();
            $request->arguments = (object) iterator_to_array($read['arguments']);
        }
        return $request;
    }

    /** JSON in which our own objects stand as they are. */
    private static function write(mixed $value): string
    {
        if ($value instanceof JsonObject) {
            return CanonicalJson::write($value);
        }
        if (is_array($value) && !array_is_list($value)) {
            $members = [];
            foreach ($value as $key => $member) {
                $members[] = Json::write((string) $key) . ':' . self::write($member);
            }
            return '{' . implode(',', $members) . '}';
        }
        return Json::write($value);
    }
}
