<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\P4Exception;

/** What must fail, and how. */
trait Refusals
{
    /** @param string $code of the error that this must throw */
    private function assertRefused(string $code, callable $run, ?string $type = null): P4Exception
    {
        try {
            $run();
        } catch (P4Exception $error) {
            self::assertSame($code, $error->code(), $error->getMessage());
            if ($type !== null) {
                self::assertSame($type, $error->type());
            }
            return $error;
        }
        self::fail("not refused with $code");
    }

    /** What was thrown. */
    private function errorOf(callable $run): P4Exception
    {
        try {
            $run();
        } catch (P4Exception $error) {
            return $error;
        }
        self::fail('nothing was thrown');
    }
}
