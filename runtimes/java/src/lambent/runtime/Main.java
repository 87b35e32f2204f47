package lambent.runtime;

import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;

/** Where the virtual machine starts: find the handler, then event after event. */
public final class Main {
    /** Where functions find the trace they belong to. */
    private static final String TRACE = "com.amazonaws.xray.traceHeader";

    private Main() {}

    public static void main(String[] arguments) throws IOException {
        run(System.getenv("AWS_LAMBDA_RUNTIME_API"), System.getenv("_HANDLER"));
    }

    /** Ends with the virtual machine. */
    static void run(String address, String name) throws IOException {
        System.setOut(unbuffered(FileDescriptor.out));
        System.setErr(unbuffered(FileDescriptor.err));
        RuntimeApi api = new RuntimeApi(address);
        Handlers.Handler handler;
        try {
            handler = Handlers.load(name);
        } catch (Fault fault) {
            log(fault);
            api.post("init/error", fault.body(), errorType(fault));
            System.exit(1);
            return;
        }
        while (invoke(api, handler)) {
            // As long as the virtual machine is sound.
        }
        System.exit(0);
    }

    /** Serves one event. False: the virtual machine is in no state to go on. */
    private static boolean invoke(RuntimeApi api, Handlers.Handler handler) throws IOException {
        RuntimeApi.Answer event = api.next();
        String id = event.headers.get("lambda-runtime-aws-request-id");
        FunctionLog.INSTANCE.enter(id, event.headers.get("lambda-runtime-aws-tenant-id"));
        String trace = event.headers.get("lambda-runtime-trace-id");
        if (trace == null) {
            System.clearProperty(TRACE);
        } else {
            System.setProperty(TRACE, trace);
        }
        String path = "invocation/" + URLEncoder.encode(id, StandardCharsets.UTF_8);
        byte[] result;
        try {
            result = handler.handle(event.body, new InvokeContext(event.headers));
        } catch (Throwable error) {
            Fault fault = error instanceof Fault ? (Fault) error : Fault.ofFunction(error);
            log(fault);
            String xray = fault.xray();
            String more = errorType(fault);
            if (xray != null) {
                more += "Lambda-Runtime-Function-Xray-Error-Cause: " + xray + "\r\n";
            }
            report(api.post(path + "/error", fault.body(), more), "failure");
            return !(error instanceof VirtualMachineError);
        }
        report(api.post(path + "/response", result, ""), "success response");
        return true;
    }

    /** A refused answer is the platform's to tell the caller of; the function's log gets a line. */
    private static void report(int status, String what) {
        if (status >= 300) {
            System.err.println("[ERROR] [" + System.currentTimeMillis() + "] LAMBDA_RUNTIME Failed to post handler " + what
                    + ". Http response code: " + status + ".");
        }
    }

    private static String errorType(Fault fault) {
        return "Lambda-Runtime-Function-Error-Type: " + fault.type() + "\r\n";
    }

    private static void log(Fault fault) {
        boolean json = "JSON".equalsIgnoreCase(System.getenv("AWS_LAMBDA_LOG_FORMAT"));
        FunctionLog.INSTANCE.log(fault.logText() + "\n", json ? LogLevel.ERROR : LogLevel.UNDEFINED);
    }

    private static PrintStream unbuffered(FileDescriptor descriptor) {
        return new PrintStream(new FileOutputStream(descriptor), false, StandardCharsets.UTF_8);
    }
}
