package p4.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Numbers of RFC 8785: the samples of its appendix B that the profile allows, and properties. */
final class JsonNumberTest {
    @Test
    void samples() {
        Map<Long, String> samples = Map.of(
                0x8000000000000000L, "0",
                0x0000000000000001L, "5e-324",
                0x8000000000000001L, "-5e-324",
                0x433fffffffffffffL, "9007199254740991",
                0x3d70000000000000L, "9.094947017729282e-13", // 2^-40: beside a power of two
                0x3d30000000000000L, "5.684341886080802e-14", // 2^-44: the nearest of 16 digits is the neighbour's
                0x3f50624dd2f1a9fcL, "0.001",
                0x3eb0c6f7a0b5ed8dL, "0.000001",
                0x4024000000000000L, "10");
        samples.forEach((bits, text) -> assertEquals(text, JsonNumber.write(Double.longBitsToDouble(bits))));
    }

    @Test
    void whatIsWrittenIsReadAgainAndIsNotLongerThanJavasOwn() {
        Random random = new Random(4);
        for (int i = 0; i < 5000; i++) {
            double number = Double.longBitsToDouble(random.nextLong());
            if (!(Math.abs(number) <= Json.SAFE_INTEGER)) {
                continue;
            }
            String text = JsonNumber.write(number);
            assertEquals(number, Double.parseDouble(text));
            assertTrue(digits(text) <= digits(Double.toString(number)), text);
        }
    }

    private static long digits(String text) {
        String mantissa = text.toLowerCase().split("e")[0].replaceAll("[-.]", "").replaceAll("^0+|0+$", "");
        return mantissa.length();
    }
}
