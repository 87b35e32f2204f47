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

    /** Of {@link #exactly}: far from the limits of AWS's library for nesting (1000) and numbers (1000 characters). */
    private static final int EXACT_DEPTH_MAX = 500;
    private static final int EXACT_DIGITS_MAX = 500;

    private final String text;
    private final boolean exact;
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

    private Json(String text, boolean exact) {
        this.text = text;
        this.exact = exact;
    }

    /** Bytes behind the value are ignored, as AWS's client does; the platform lets no such event through. */
    static Object parse(byte[] data) {
        Json json = new Json(new String(data, StandardCharsets.UTF_8), false);
        return json.value();
    }

    /**
     * Plain values, numbers that are not whole as Double. Throws {@link Unsure} where a JSON text may mean something else to
     * another reader: it breaks the standard, a name is there twice, a number leaves the range of Double, or it is extreme.
     */
    static Object exactly(byte[] data) {
        Json json = new Json(new String(data, StandardCharsets.UTF_8), true);
        // What is not UTF-8 has become this character.
        if (json.text.indexOf('\uFFFD') >= 0) {
            throw Unsure.INSTANCE;
        }
        Object value;
        try {
            value = json.value();
        } catch (Invalid invalid) {
            throw Unsure.INSTANCE;
        }
        json.blank();
        if (json.at < json.text.length()) {
            throw Unsure.INSTANCE;
        }
        return value;
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
                if (exact && map.containsKey(name)) {
                    throw Unsure.INSTANCE;
                }
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
        if (++depth > (exact ? EXACT_DEPTH_MAX : DEPTH_MAX)) {
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
        if (exact) {
            sureOf(digits);
        }
        try {
            if (!whole && exact) {
                return finite(Double.valueOf(digits));
            }
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

    /** By JSON's grammar: no plus, no zeros in front, digits on both sides of the point. */
    private static void sureOf(String digits) {
        int i = digits.startsWith("-") ? 1 : 0;
        int whole = skipDigits(digits, i);
        boolean sound = whole > i && (digits.charAt(i) != '0' || whole == i + 1);
        i = whole;
        if (sound && i < digits.length() && digits.charAt(i) == '.') {
            int end = skipDigits(digits, i + 1);
            sound = end > i + 1;
            i = end;
        }
        if (sound && i < digits.length() && (digits.charAt(i) | 0x20) == 'e') {
            i++;
            if (i < digits.length() && (digits.charAt(i) == '-' || digits.charAt(i) == '+')) {
                i++;
            }
            int end = skipDigits(digits, i);
            sound = end > i;
            i = end;
        }
        if (!sound || i < digits.length() || i > EXACT_DIGITS_MAX) {
            throw Unsure.INSTANCE;
        }
    }

    private static int skipDigits(String digits, int from) {
        int i = from;
        while (i < digits.length() && digits.charAt(i) >= '0' && digits.charAt(i) <= '9') {
            i++;
        }
        return i;
    }

    private static Double finite(Double value) {
        if (value.isInfinite()) {
            throw Unsure.INSTANCE;
        }
        return value;
    }

    private String string() {
        int start = ++at;
        while (at < text.length() && text.charAt(at) != '"' && text.charAt(at) != '\\') {
            if (exact && text.charAt(at) < ' ') {
                throw Unsure.INSTANCE;
            }
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
            if (exact && c < ' ') {
                throw Unsure.INSTANCE;
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
                return unit();
            default:
                throw new Invalid("unknown escape", at);
        }
    }

    private char unit() {
        int unit = 0;
        for (int end = at + 4; at < end; at++) {
            int digit = at < text.length() && text.charAt(at) < 128 ? Character.digit(text.charAt(at), 16) : -1;
            if (digit < 0) {
                throw new Invalid("four hexadecimal digits are missing", at);
            }
            unit = unit << 4 | digit;
        }
        return (char) unit;
    }

    private void blank() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }
}
