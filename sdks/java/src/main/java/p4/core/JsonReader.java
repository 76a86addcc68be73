package p4.core;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import p4.P4Exception;

/** Reads the grammar of RFC 8259, no more, and refuses a key that comes twice. */
final class JsonReader {
    /** Far beyond what is accepted, and far below what a thread's stack bears. */
    private static final int STACK_DEPTH = 500;

    private final String text;
    private int at;

    JsonReader(String text) {
        this.text = text;
    }

    Object read() {
        Object value = value(0);
        skipSpace();
        if (at != text.length()) {
            throw notJson();
        }
        return value;
    }

    private Object value(int depth) {
        if (depth > STACK_DEPTH) {
            throw new P4Exception("too-deep", "The JSON is nested deeper than " + Json.MAX_DEPTH + " levels.");
        }
        skipSpace();
        char first = peek();
        return switch (first) {
            case '{' -> object(depth);
            case '[' -> array(depth);
            case '"' -> string();
            case 't' -> word("true", Boolean.TRUE);
            case 'f' -> word("false", Boolean.FALSE);
            case 'n' -> word("null", null);
            default -> number();
        };
    }

    private Map<String, Object> object(int depth) {
        Map<String, Object> object = new LinkedHashMap<>();
        boolean twice = false;
        at++;
        skipSpace();
        if (peek() == '}') {
            at++;
            return object;
        }
        while (true) {
            skipSpace();
            if (peek() != '"') {
                throw notJson();
            }
            String key = string();
            skipSpace();
            expect(':');
            Object value = value(depth + 1);
            twice |= object.containsKey(key);
            object.put(key, value);
            skipSpace();
            if (peek() != ',') {
                break;
            }
            at++;
        }
        expect('}');
        if (twice) {
            // Readers differ in which of the two they take: one signature, two meanings.
            throw new P4Exception("duplicate-key", "An object has the same key twice.");
        }
        return object;
    }

    private List<Object> array(int depth) {
        List<Object> array = new ArrayList<>();
        at++;
        skipSpace();
        if (peek() == ']') {
            at++;
            return array;
        }
        while (true) {
            array.add(value(depth + 1));
            skipSpace();
            if (peek() != ',') {
                break;
            }
            at++;
        }
        expect(']');
        return array;
    }

    private String string() {
        at++;
        StringBuilder out = new StringBuilder();
        while (true) {
            char unit = next();
            if (unit == '"') {
                return out.toString();
            }
            if (unit < 0x20) {
                throw notJson();
            }
            out.append(unit == '\\' ? escape() : unit);
        }
    }

    private char escape() {
        char letter = next();
        return switch (letter) {
            case '"', '\\', '/' -> letter;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> {
                int unit = 0;
                for (int i = 0; i < 4; i++) {
                    char digit = next();
                    int number = digit < 0x80 ? Character.digit(digit, 16) : -1;
                    if (number < 0) {
                        throw notJson();
                    }
                    unit = unit << 4 | number;
                }
                yield (char) unit;
            }
            default -> throw notJson();
        };
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            return number(); // NaN begins like null
        }
        at += word.length();
        return value;
    }

    private Object number() {
        int begin = at;
        boolean minus = take('-');
        for (String name : List.of("Infinity", "NaN")) {
            if (text.startsWith(name, at) && !(minus && name.equals("NaN"))) {
                throw new P4Exception("bad-number", name + " is not a JSON number.");
            }
        }
        if (!take('0')) {
            digits();
        }
        boolean whole = true;
        if (take('.')) {
            whole = false;
            digits();
        }
        if (take('e') || take('E')) {
            whole = false;
            if (!take('+')) {
                take('-');
            }
            digits();
        }
        String number = text.substring(begin, at);
        if (!whole) {
            return Double.parseDouble(number);
        }
        if (number.length() > 17) { // 2^53-1 has 16 digits
            throw new P4Exception("bad-number", "A number is beyond 2^53-1.");
        }
        return Long.parseLong(number);
    }

    private void digits() {
        int begin = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        if (at == begin) {
            throw notJson();
        }
    }

    private void skipSpace() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() {
        if (at >= text.length()) {
            throw notJson();
        }
        return text.charAt(at);
    }

    private char next() {
        char unit = peek();
        at++;
        return unit;
    }

    private boolean take(char wanted) {
        if (at < text.length() && text.charAt(at) == wanted) {
            at++;
            return true;
        }
        return false;
    }

    private void expect(char wanted) {
        if (!take(wanted)) {
            throw notJson();
        }
    }

    private static P4Exception notJson() {
        return new P4Exception("not-json", "The text is not valid JSON.");
    }
}
