package lambent.runtime;

import java.nio.charset.StandardCharsets;

/** The text that is being written, with what each way of writing needs: strings as AWS's library escapes them. */
final class JsonSink {
    private final StringBuilder text = new StringBuilder(256);
    private final boolean ascii;

    /** {@code ascii}: with every character beyond ASCII escaped. */
    JsonSink(boolean ascii) {
        this.ascii = ascii;
    }

    void append(String json) {
        text.append(json);
    }

    byte[] bytes() {
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public String toString() {
        return text.toString();
    }

    void string(String value) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '"' || c == '\\') {
                text.append('\\').append(c);
            } else if (c == '\n') {
                text.append("\\n");
            } else if (c == '\r') {
                text.append("\\r");
            } else if (c == '\t') {
                text.append("\\t");
            } else if (c == '\b') {
                text.append("\\b");
            } else if (c == '\f') {
                text.append("\\f");
            } else if (c < ' ' || Character.isSurrogate(c) || (ascii && c > '~')) {
                text.append("\\u");
                for (int shift = 12; shift >= 0; shift -= 4) {
                    text.append("0123456789ABCDEF".charAt(c >> shift & 15));
                }
            } else {
                text.append(c);
            }
        }
        text.append('"');
    }
}
