package lambent.runtime;

import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;

/**
 * Values to JSON. What is null in a map or a bean is left out, as Lambda does; beans are written by their getters and
 * public fields ({@link Beans}).
 */
final class JsonText {
    /** Deeper than any sound result: a value that contains itself. */
    private static final int DEPTH_MAX = 1000;

    private final JsonSink text;
    private int depth;

    private JsonText(boolean ascii) {
        text = new JsonSink(ascii);
    }

    static byte[] bytes(Object value) {
        JsonText json = new JsonText(false);
        json.value(value);
        return json.text.bytes();
    }

    /** With every character beyond ASCII escaped, fit for a header. */
    static String ascii(Object value) {
        JsonText json = new JsonText(true);
        json.value(value);
        return json.text.toString();
    }

    private void value(Object value) {
        if (value == null || value instanceof Boolean || isPlain(value)) {
            text.append(String.valueOf(value));
        } else if (value instanceof CharSequence || value instanceof Character || value instanceof Enum) {
            text.string(value instanceof Enum ? ((Enum<?>) value).name() : value.toString());
        } else if (value instanceof Map) {
            object((Map<?, ?>) value);
        } else if (value instanceof Iterable) {
            array((Iterable<?>) value);
        } else if (value instanceof byte[]) {
            text.string(Base64.getEncoder().encodeToString((byte[]) value));
        } else if (value.getClass().isArray()) {
            array(Beans.listOf(value));
        } else if (value instanceof Optional) {
            value(((Optional<?>) value).orElse(null));
        } else {
            other(value);
        }
    }

    private void other(Object value) {
        if (value instanceof Number) {
            text.string(value.toString()); // NaN and the infinities, which JSON has no numbers for.
        } else if (value instanceof java.util.Date) {
            text.append(Long.toString(((java.util.Date) value).getTime()));
        } else if (value instanceof ByteBuffer) {
            ByteBuffer data = ((ByteBuffer) value).duplicate();
            byte[] bytes = new byte[data.remaining()];
            data.get(bytes);
            value(bytes);
        } else if (value.getClass().getName().startsWith("java.")) {
            text.string(value instanceof Class ? ((Class<?>) value).getName() : value.toString());
        } else {
            object(Beans.toMap(value));
        }
    }

    private static boolean isPlain(Object value) {
        if (value instanceof Double) {
            return Double.isFinite((Double) value);
        }
        return value instanceof Float ? Float.isFinite((Float) value) : value instanceof Number;
    }

    private void object(Map<?, ?> map) {
        enter();
        text.append("{");
        boolean first = true;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (entry.getValue() == null) {
                continue;
            }
            if (!first) {
                text.append(",");
            }
            first = false;
            text.string(String.valueOf(entry.getKey()));
            text.append(":");
            value(entry.getValue());
        }
        text.append("}");
        depth--;
    }

    private void array(Iterable<?> items) {
        enter();
        text.append("[");
        boolean first = true;
        for (Object item : items) {
            if (!first) {
                text.append(",");
            }
            first = false;
            value(item);
        }
        text.append("]");
        depth--;
    }

    private void enter() {
        if (++depth > DEPTH_MAX) {
            throw new IllegalArgumentException("the result is nested too deeply, or contains itself");
        }
    }
}
