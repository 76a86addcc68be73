<?php

/**
 * Loads the classes of this package where Composer is not used: require 'sdks/php/autoload.php'.
 */

declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    // PSR-4, as composer.json says it.
    if (str_starts_with($class, 'P4\\')) {
        $path = __DIR__ . '/src/' . str_replace('\\', '/', substr($class, 3)) . '.php';
        if (is_file($path)) {
            require $path;
        }
    }
});
