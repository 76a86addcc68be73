package p4.core;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import p4.P4Exception;

/**
 * The JSON of envelopes: a strict reader and the canonical writer (spec/envelope.md, RFC 8785, RFC 7493).
 *
 * <p>Values are null, {@link Boolean}, {@link Long} (written without fraction or exponent), {@link Double},
 * {@link String}, {@link List} and {@link Map} with string keys. The reader takes only what the canonical form can
 * express, so everything read can be signed again with the same bytes by any implementation.
 */
public final class Json {
    /** Objects and arrays within each other, the outermost counting as 1. */
    public static final int MAX_DEPTH = 32;

    /** Largest magnitude of a number: 2^53-1. */
    public static final long SAFE_INTEGER = (1L << 53) - 1;

    private Json() {}

    /**
     * Reads exactly one JSON value.
     *
     * @param data UTF-8, bounded in size by the caller; white space around the value is allowed
     * @return the value, see above
     * @throws P4Exception {@code not-utf8}, {@code not-json}, {@code duplicate-key}, {@code bad-number},
     *     {@code bad-string} or {@code too-deep}
     */
    public static Object parse(byte[] data) {
        String text;
        try {
            text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data)).toString();
        } catch (CharacterCodingException error) {
            throw new P4Exception("not-utf8", "The text is not valid UTF-8.", Map.of(), error);
        }
        Object value = new JsonReader(text).read();
        check(value, 0);
        return value;
    }

    /**
     * Reads exactly one JSON object.
     *
     * @param data as for {@link #parse}
     * @return its members, in the order of the text
     * @throws P4Exception as {@link #parse}, and {@code not-object}
     */
    public static Map<String, Object> parseObject(byte[] data) {
        if (parse(data) instanceof Map<?, ?> map) {
            @SuppressWarnings("unchecked") // the reader makes no other maps
            Map<String, Object> object = (Map<String, Object>) map;
            return object;
        }
        throw new P4Exception("not-object", "The outermost JSON value is not an object.");
    }

    /**
     * The one byte string that stands for a JSON value: RFC 8785 in UTF-8.
     *
     * @param value see above; any {@link Number} of the standard library is taken
     * @return the canonical form
     * @throws P4Exception {@code bad-string}, {@code bad-number}, {@code too-deep} or {@code not-json}: it has none
     */
    public static byte[] canonical(Object value) {
        StringBuilder out = new StringBuilder();
        canonical(value, 0, out);
        return out.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** As {@link #canonical(Object)}, for a value that so many objects and arrays surround. */
    static void canonical(Object value, int depth, StringBuilder out) {
        check(value, depth);
        write(value, out);
    }

    /** Refuses what RFC 8785 cannot write, level by level: the depth of the input is not ours to choose. */
    private static void check(Object value, int surrounding) {
        List<Object> level = new ArrayList<>();
        level.add(value);
        for (int depth = surrounding; !level.isEmpty(); depth++) {
            List<Object> inner = new ArrayList<>();
            for (Object item : level) {
                checkOne(item, depth, inner);
            }
            level = inner;
        }
    }

    private static void checkOne(Object item, int depth, List<Object> inner) {
        if (item instanceof String text) {
            checkString(text);
        } else if (item instanceof Number number) {
            checkNumber(number);
        } else if (item instanceof Map<?, ?> || item instanceof List<?>) {
            if (depth == MAX_DEPTH) {
                throw new P4Exception("too-deep", "The JSON is nested deeper than " + MAX_DEPTH + " levels.");
            }
            if (item instanceof List<?> list) {
                inner.addAll(list);
                return;
            }
            for (Map.Entry<?, ?> member : ((Map<?, ?>) item).entrySet()) {
                if (!(member.getKey() instanceof String key)) {
                    throw new P4Exception("not-json", "A key of an object is not a string.");
                }
                checkString(key);
                inner.add(member.getValue());
            }
        } else if (item != null && !(item instanceof Boolean)) {
            throw new P4Exception("not-json", "A " + item.getClass().getName() + " is not a JSON value.");
        }
    }

    private static void checkString(String text) {
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            if (!Character.isSurrogate(unit)) {
                continue;
            }
            boolean paired = Character.isHighSurrogate(unit) && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1));
            if (!paired) {
                throw new P4Exception("bad-string", "A string has half of a surrogate pair.");
            }
            i++;
        }
    }

    private static void checkNumber(Number number) {
        // NaN fails the comparison, too. A long beyond the limit stays beyond it as a double.
        if (!(Math.abs(number.doubleValue()) <= SAFE_INTEGER)) {
            throw new P4Exception("bad-number", "A number is beyond 2^53-1 or not finite.");
        }
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof String text) {
            writeString(text, out);
        } else if (value instanceof Number number) {
            out.append(JsonNumber.write(number.doubleValue()));
        } else if (value instanceof List<?> list) {
            char before = '[';
            for (Object item : list) {
                out.append(before);
                write(item, out);
                before = ',';
            }
            out.append(list.isEmpty() ? "[]" : "]");
        } else if (value instanceof Map<?, ?> map) {
            char before = '{';
            // Java compares strings by UTF-16 code units, which is the order of RFC 8785, section 3.2.3.
            for (Map.Entry<?, ?> member : new TreeMap<>(map).entrySet()) {
                out.append(before);
                writeString((String) member.getKey(), out);
                out.append(':');
                write(member.getValue(), out);
                before = ',';
            }
            out.append(map.isEmpty() ? "{}" : "}");
        } else {
            out.append(value); // null, true, false
        }
    }

    private static void writeString(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            switch (unit) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\b' -> out.append("\\b");
                case '\t' -> out.append("\\t");
                case '\n' -> out.append("\\n");
                case '\f' -> out.append("\\f");
                case '\r' -> out.append("\\r");
                default -> {
                    if (unit < 0x20) {
                        out.append(String.format("\\u%04x", (int) unit));
                    } else {
                        out.append(unit);
                    }
                }
            }
        }
        out.append('"');
    }
}
