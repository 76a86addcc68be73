<?php

declare(strict_types=1);

namespace P4\Tests;

use P4\Client;

/** Two real daemons that are paired, for all tests of a class. */
trait TwoDevices
{
    private static ?Pair $two = null;
    private Client $laptop;
    private Client $phone;

    public static function setUpBeforeClass(): void
    {
        self::$two = Pair::make();
    }

    public static function tearDownAfterClass(): void
    {
        self::$two?->remove();
        self::$two = null;
    }

    protected function setUp(): void
    {
        $this->laptop = self::$two->laptop;
        $this->phone = self::$two->phone;
    }
}
