package lambent.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The function's log: standard output, unbuffered, so that nothing is lost however the process ends. What is logged goes as
 * frames if the platform takes them there, so that each is one event with its line breaks.
 */
public final class FunctionLog implements LambdaLogger {
    public static final FunctionLog INSTANCE = new FunctionLog();

    private static final boolean JSON = "JSON".equalsIgnoreCase(System.getenv("AWS_LAMBDA_LOG_FORMAT"));
    private static final LogLevel LEAST = least();
    private static final boolean FRAMED = "1".equals(System.getenv("_LAMBDA_TELEMETRY_LOG_FD"));
    /** A frame begins with its kind, the message's length and the time in microseconds, big-endian. */
    private static final int FRAME_KIND = 0xa55a0002;
    private static final int TEXT_BIT = 1;
    private static final int LEVEL_SHIFT = 2;
    private static final int HEADER_BYTES = 16;

    private final FileOutputStream out = new FileOutputStream(FileDescriptor.out);
    private volatile String requestId;
    private volatile String tenantId;

    private FunctionLog() {}

    /** Says which invoke the messages to come belong to. */
    void enter(String id, String tenant) {
        requestId = id;
        tenantId = tenant;
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        if (isHeard(level)) {
            write(message == null ? "null".getBytes(StandardCharsets.UTF_8) : message, level);
        }
    }

    @Override
    public void log(String message, LogLevel level) {
        if (!isHeard(level)) {
            return;
        }
        String text = message == null ? "null" : message;
        if (JSON) {
            text = json(text, level);
        } else if (level != LogLevel.UNDEFINED) {
            text = "[" + level + "] " + text;
        }
        write(text.getBytes(StandardCharsets.UTF_8), level);
    }

    private static boolean isHeard(LogLevel level) {
        return level == LogLevel.UNDEFINED || level.ordinal() >= LEAST.ordinal();
    }

    private String json(String message, LogLevel level) {
        Map<String, Object> line = new LinkedHashMap<>();
        String time = Instant.now().truncatedTo(ChronoUnit.MILLIS).toString();
        line.put("timestamp", time.length() == 20 ? time.replace("Z", ".000Z") : time);
        line.put("message", message);
        line.put("level", level);
        line.put("AWSRequestId", requestId);
        line.put("tenantId", tenantId);
        return new String(JsonText.bytes(line), StandardCharsets.UTF_8) + "\n";
    }

    private void write(byte[] data, LogLevel level) {
        try {
            out.write(FRAMED ? frame(data, level) : data);
        } catch (IOException nobodyReads) {
            // The function must not fail because its log has gone.
        }
    }

    private static byte[] frame(byte[] data, LogLevel level) {
        long time = System.currentTimeMillis() * 1000;
        int kind = FRAME_KIND | level.ordinal() << LEVEL_SHIFT | (JSON ? 0 : TEXT_BIT);
        return ByteBuffer.allocate(HEADER_BYTES + data.length).putInt(kind).putInt(data.length).putLong(time).put(data)
                .array();
    }

    private static LogLevel least() {
        String level = System.getenv("AWS_LAMBDA_LOG_LEVEL");
        try {
            return level == null ? LogLevel.UNDEFINED : LogLevel.fromString(level);
        } catch (IllegalArgumentException unknown) {
            return LogLevel.UNDEFINED;
        }
    }
}
