<?php

declare(strict_types=1);

namespace P4\Core;

/**
 * A number modulo 2^255-19, as far as it takes to see whether a point is on the curve of Ed25519: only for public keys,
 * as its time depends on nothing secret but is not constant either. PHP's sodium has no such question, and its
 * conversion to X25519 refuses more than spec/identity.md does.
 *
 * @internal
 */
final class FieldElement
{
    private const LIMBS = 16;
    private const BITS = 16;
    private const MASK = 0xFFFF;

    /** @param list<int> $limbs sixteen of 16 bits, least first; reduced */
    private function __construct(private readonly array $limbs)
    {
    }

    /** From 32 bytes, least first, below 2^255. */
    public static function fromBytes(string $bytes): self
    {
        return self::reduced(array_values(unpack('v16', $bytes) ?: throw new \LogicException('32 bytes are needed')));
    }

    /** A small number. */
    public static function of(int $number): self
    {
        return self::reduced([$number, ...array_fill(0, self::LIMBS - 1, 0)]);
    }

    public function plus(self $other): self
    {
        return self::reduced(array_map(static fn (int $one, int $two) => $one + $two, $this->limbs, $other->limbs));
    }

    public function minus(self $other): self
    {
        return self::reduced(array_map(static fn (int $one, int $two) => $one - $two, $this->limbs, $other->limbs));
    }

    public function times(self $other): self
    {
        $product = array_fill(0, 2 * self::LIMBS, 0);
        foreach ($this->limbs as $place => $one) {
            foreach ($other->limbs as $beside => $two) {
                $product[$place + $beside] += $one * $two;
            }
        }
        // 2^256 is 38 here.
        for ($place = 0; $place < self::LIMBS; $place++) {
            $product[$place] += 38 * $product[$place + self::LIMBS];
        }
        return self::reduced(array_slice($product, 0, self::LIMBS));
    }

    /** Whether some number's square is this, by Euler's criterion: its power of (p-1)/2 = 2^254-10 is 1 (or 0 for 0). */
    public function isSquare(): bool
    {
        $power = self::of(1);
        $exponent = str_repeat('1', 250) . '0110'; // 2^254-10 in binary
        foreach (str_split($exponent) as $bit) {
            $power = $power->times($power);
            if ($bit === '1') {
                $power = $power->times($this);
            }
        }
        return $power->limbs === self::of(1)->limbs || $this->limbs === self::of(0)->limbs;
    }

    /** @param list<int> $limbs of any size that fits an integer */
    private static function reduced(array $limbs): self
    {
        // Each round carries; what leaves above 2^255 comes back below 19-fold. Three are enough for products.
        for ($round = 0; $round < 4; $round++) {
            for ($place = 0; $place < self::LIMBS - 1; $place++) {
                $limbs[$place + 1] += $limbs[$place] >> self::BITS;
                $limbs[$place] &= self::MASK;
            }
            $above = $limbs[self::LIMBS - 1] >> 15;
            $limbs[self::LIMBS - 1] &= 0x7FFF;
            $limbs[0] += 19 * $above;
        }
        // Below 2^255 by now; once more if it is p itself or above.
        $without = $limbs;
        $without[0] += 19;
        for ($place = 0; $place < self::LIMBS - 1; $place++) {
            $without[$place + 1] += $without[$place] >> self::BITS;
            $without[$place] &= self::MASK;
        }
        if ($without[self::LIMBS - 1] >> 15 !== 0) {
            $without[self::LIMBS - 1] &= 0x7FFF;
            return new self($without);
        }
        return new self($limbs);
    }
}
