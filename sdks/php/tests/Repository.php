<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Core\Engine;
use P4\Core\NativeEngine;
use P4\Core\SodiumEngine;

/** Where things lie that the tests use. */
final class Repository
{
    public const ROOT = __DIR__ . '/../../..';
    public const PACKAGE = __DIR__ . '/..';

    /**
     * The engines that can be tested here: the native one needs its library, `P4_CORE_LIB` or what `make native` built.
     *
     * @return array<string, Engine>
     */
    public static function engines(): array
    {
        $engines = ['sodium' => new SodiumEngine()];
        $library = self::nativeLibrary();
        if ($library !== null) {
            $engines['native'] = NativeEngine::load($library);
        }
        return $engines;
    }

    /** The native library; null if it was not built. */
    public static function nativeLibrary(): ?string
    {
        $path = getenv('P4_CORE_LIB') ?: self::ROOT . '/native/target/release/libp4_core.so';
        return extension_loaded('ffi') && is_file($path) ? $path : null;
    }
}
