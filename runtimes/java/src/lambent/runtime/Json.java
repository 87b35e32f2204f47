package lambent.runtime;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON to plain values: maps, lists, strings, booleans, null; whole numbers become the smallest of Integer, Long and
 * BigInteger that holds them. Others stay a {@link Real} until it is known whether their digits are wanted.
 */
final class Json {
    /** Deeper input would exhaust the stack. */
    private static final int DEPTH_MAX = 1000;

    private final String text;
    private int at;
    private int depth;

    /** The input is not JSON. */
    static final class Invalid extends RuntimeException {
        private static final long serialVersionUID = 1;

        Invalid(String message, int at) {
            super(message + " at character " + at);
        }
    }

    /** A number that is not whole, as it was written. */
    static final class Real {
        private final String digits;

        Real(String digits) {
            this.digits = digits;
        }

        @Override
        public String toString() {
            return digits;
        }
    }

    /** The value with all numbers as the numbers of Java that functions expect where they named no type. */
    static Object plain(Object value) {
        if (value instanceof Real) {
            return Double.valueOf(value.toString());
        }
        if (value instanceof List) {
            List<Object> list = new ArrayList<>(((List<?>) value).size());
            for (Object item : (List<?>) value) {
                list.add(plain(item));
            }
            return list;
        }
        if (value instanceof Map) {
            Map<Object, Object> map = new LinkedHashMap<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                map.put(entry.getKey(), plain(entry.getValue()));
            }
            return map;
        }
        return value;
    }

    private Json(String text) {
        this.text = text;
    }

    /** What stands behind the value is not looked at, as AWS's client does it; the platform lets no such event through. */
    static Object parse(byte[] data) {
        Json json = new Json(new String(data, StandardCharsets.UTF_8));
        return json.value();
    }

    private Object value() {
        blank();
        if (at == text.length()) {
            throw new Invalid("a value is missing", at);
        }
        switch (text.charAt(at)) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object() {
        Map<String, Object> map = new LinkedHashMap<>();
        enter();
        if (!closes('}')) {
            do {
                blank();
                if (at == text.length() || text.charAt(at) != '"') {
                    throw new Invalid("a name is missing", at);
                }
                String name = string();
                blank();
                expect(':');
                map.put(name, value());
            } while (continues('}'));
        }
        depth--;
        return map;
    }

    private List<Object> array() {
        List<Object> list = new ArrayList<>();
        enter();
        if (!closes(']')) {
            do {
                list.add(value());
            } while (continues(']'));
        }
        depth--;
        return list;
    }

    private void enter() {
        at++;
        if (++depth > DEPTH_MAX) {
            throw new Invalid("nested too deeply", at);
        }
    }

    private boolean closes(char end) {
        blank();
        if (at < text.length() && text.charAt(at) == end) {
            at++;
            return true;
        }
        return false;
    }

    private boolean continues(char end) {
        if (closes(end)) {
            return false;
        }
        expect(',');
        return true;
    }

    private void expect(char wanted) {
        if (at == text.length() || text.charAt(at) != wanted) {
            throw new Invalid("'" + wanted + "' is missing", at);
        }
        at++;
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw new Invalid("unknown word", at);
        }
        at += word.length();
        return value;
    }

    private Object number() {
        int start = at;
        boolean whole = true;
        for (; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '.' || c == 'e' || c == 'E') {
                whole = false;
            } else if ((c < '0' || c > '9') && c != '-' && c != '+') {
                break;
            }
        }
        String digits = text.substring(start, at);
        try {
            if (!whole) {
                Double.parseDouble(digits); // Is it one?
                return new Real(digits);
            }
            if (digits.length() > 18) {
                BigInteger big = new BigInteger(digits);
                return big.bitLength() < 64 ? (Object) big.longValue() : big;
            }
            long value = Long.parseLong(digits);
            return value == (int) value ? (Object) (int) value : (Object) value;
        } catch (NumberFormatException wrong) {
            throw new Invalid("not a value", start);
        }
    }

    private String string() {
        int start = ++at;
        while (at < text.length() && text.charAt(at) != '"' && text.charAt(at) != '\\') {
            at++;
        }
        if (at < text.length() && text.charAt(at) == '"') {
            return text.substring(start, at++);
        }
        StringBuilder built = new StringBuilder(text.substring(start, at));
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == '"') {
                return built.toString();
            }
            built.append(c == '\\' ? escaped() : c);
        }
        throw new Invalid("a string does not end", start);
    }

    private char escaped() {
        if (at == text.length()) {
            throw new Invalid("a string does not end", at);
        }
        char c = text.charAt(at++);
        switch (c) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case '"':
            case '\\':
            case '/':
                return c;
            case 'u':
                try {
                    char unit = (char) Integer.parseInt(text.substring(at, at + 4), 16);
                    at += 4;
                    return unit;
                } catch (NumberFormatException | StringIndexOutOfBoundsException wrong) {
                    throw new Invalid("four hexadecimal digits are missing", at);
                }
            default:
                throw new Invalid("unknown escape", at);
        }
    }

    private void blank() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }
}
