package p4.core;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/** Numbers as ECMAScript writes them (RFC 8785, section 3.2.2.3); Double.toString of Java 17 is not the shortest. */
final class JsonNumber {
    private JsonNumber() {}

    /** The text of a finite number. */
    static String write(double number) {
        if (number == Math.rint(number) && Math.abs(number) <= Json.SAFE_INTEGER) {
            return Long.toString((long) number); // minus zero becomes 0
        }
        BigDecimal shortest = shortest(Math.abs(number));
        String digits = shortest.unscaledValue().toString();
        int end = digits.length();
        while (end > 1 && digits.charAt(end - 1) == '0') {
            end--;
        }
        int point = digits.length() - shortest.scale(); // the number is 0.DIGITS times ten to this
        return (number < 0 ? "-" : "") + place(digits.substring(0, end), point);
    }

    /** ECMA-262, Number::toString, steps 6 to 12. */
    private static String place(String digits, int point) {
        int length = digits.length();
        if (length <= point && point <= 21) {
            return digits + "0".repeat(point - length);
        }
        if (0 < point && point <= 21) {
            return digits.substring(0, point) + "." + digits.substring(point);
        }
        if (-6 < point && point <= 0) {
            return "0." + "0".repeat(-point) + digits;
        }
        String exponent = (point > 0 ? "e+" : "e-") + Math.abs(point - 1);
        return length == 1 ? digits + exponent : digits.charAt(0) + "." + digits.substring(1) + exponent;
    }

    /** The decimal of the fewest digits that is read as this number; of several the nearest, then the even one. */
    private static BigDecimal shortest(double number) {
        BigDecimal exact = new BigDecimal(number);
        for (int digits = 1; digits < 17; digits++) {
            // Beside a power of two the nearest decimal may belong to the neighbour, and the next one not.
            BigDecimal even = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
            BigDecimal below = exact.round(new MathContext(digits, RoundingMode.DOWN));
            BigDecimal above = exact.round(new MathContext(digits, RoundingMode.UP));
            for (BigDecimal candidate : new BigDecimal[] {even, below, above}) {
                if (candidate.doubleValue() == number) {
                    return candidate;
                }
            }
        }
        return exact.round(new MathContext(17, RoundingMode.HALF_EVEN));
    }
}
