<?php

declare(strict_types=1);

namespace P4\Core;

/** Which engine this process uses: PHP's sodium, unless another one is asked for. */
final class Engines
{
    private static ?Engine $engine = null;

    /** The engine in use. */
    public static function current(): Engine
    {
        return self::$engine ??= new SodiumEngine();
    }

    /** Use this one from now on; null for the usual one. */
    public static function use(?Engine $engine): void
    {
        self::$engine = $engine;
    }
}
