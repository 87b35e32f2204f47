package lambent.runtime;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What is reported about an error: to the caller, to the log, to X-Ray. */
final class Fault extends RuntimeException {
    /** Type of an error that is in how the function was made, and is found before its code runs. */
    static final String BAD_CODE = "Runtime.BadFunctionCode";
    /** Type of an error that the function raised. */
    static final String USER = "Runtime.UserException";

    private static final long serialVersionUID = 1;

    private final String type;
    private final boolean fatal;

    /** {@code fatal}: not even worth to be told at each invoke; the function can't start. */
    Fault(String type, String message, Throwable cause, boolean fatal) {
        super(message, cause, false, false);
        this.type = type;
        this.fatal = fatal;
    }

    static Fault badCode(String message, Throwable cause) {
        return new Fault(BAD_CODE, message, cause, false);
    }

    String type() {
        return type;
    }

    boolean isFatal() {
        return fatal;
    }

    /** The body of an error post. */
    byte[] body() {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("errorMessage", getMessage());
        if (getCause() != null) {
            body.put("errorType", getCause().getClass().getName());
            if (!type.equals(BAD_CODE)) {
                body.put("stackTrace", lines(getCause().getStackTrace()));
            }
        }
        return JsonText.bytes(body);
    }

    /** The value of the header that tells X-Ray, on one line and in ASCII; null if it has nothing to say. */
    String xray() {
        if (type.equals(BAD_CODE)) {
            return null;
        }
        Map<String, Object> exception = new LinkedHashMap<>();
        exception.put("message", getCause().getMessage());
        exception.put("type", getCause().getClass().getName());
        List<Object> stack = new ArrayList<>();
        Set<Object> paths = new HashSet<>();
        for (StackTraceElement element : getCause().getStackTrace()) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("label", element.getMethodName());
            entry.put("path", element.getFileName());
            entry.put("line", element.getLineNumber());
            stack.add(entry);
            paths.add(element.getFileName());
        }
        exception.put("stack", stack);
        Map<String, Object> cause = new LinkedHashMap<>();
        cause.put("working_directory", System.getProperty("user.dir"));
        cause.put("exceptions", List.of(exception));
        cause.put("paths", paths);
        return JsonText.ascii(cause);
    }

    /** What the log gets. */
    String logText() {
        Throwable cause = getCause();
        if (cause == null) {
            return getMessage();
        }
        java.io.StringWriter text = new java.io.StringWriter();
        cause.printStackTrace(new java.io.PrintWriter(text));
        return getMessage() + ": " + cause.getClass().getName() + "\n" + text;
    }

    /** The fault that an error of the function's makes; its traces end where the runtime begins. */
    static Fault ofFunction(Throwable error) {
        trim(error, new HashSet<>());
        String message = error.getLocalizedMessage();
        return new Fault(USER, message == null ? error.getClass().getName() : message, error, false);
    }

    /** Leaves out the runtime's own frames and all below them. */
    static void trim(Throwable error, Set<Throwable> seen) {
        if (error == null || !seen.add(error)) {
            return;
        }
        StackTraceElement[] trace = error.getStackTrace();
        for (int i = 0; i < trace.length; i++) {
            if (trace[i].getClassName().startsWith("lambent.runtime.")) {
                error.setStackTrace(java.util.Arrays.copyOf(trace, i));
                break;
            }
        }
        trim(error.getCause(), seen);
        for (Throwable suppressed : error.getSuppressed()) {
            trim(suppressed, seen);
        }
    }

    private static List<Object> lines(StackTraceElement[] trace) {
        List<Object> lines = new ArrayList<>();
        for (StackTraceElement element : trace) {
            lines.add(element.toString());
        }
        return lines;
    }
}
