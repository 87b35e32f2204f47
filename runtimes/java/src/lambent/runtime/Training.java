package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * Serves a few events to the runtime and ends. The build runs it to have an archive of all classes that a function's
 * first invoke needs: the virtual machine then maps them instead of reading and checking them.
 */
public final class Training {
    private static final String[] EVENTS = {
        // The first is one that AWS's library is trained with, too.
        "{\"text\":\"\\u00e9\",\"numbers\":[1,2.5,12345678901],\"none\":null,\"yes\":true,\"inner\":{\"list\":[\"a\"]}}",
        "{\"fail\":true}",
        "{}",
    };

    /** An event as a bean. */
    public static final class Input {
        public Map<String, String> texts = Map.of();
        private String text;
        private List<Double> numbers;
        private Map<String, Object> inner;
        private boolean fail;

        public String getText() {
            return text;
        }

        public void setText(String text) {
            this.text = text;
        }

        public List<Double> getNumbers() {
            return numbers;
        }

        public void setNumbers(List<Double> numbers) {
            this.numbers = numbers;
        }

        public Map<String, Object> getInner() {
            return inner;
        }

        public void setInner(Map<String, Object> inner) {
            this.inner = inner;
        }

        public boolean isFail() {
            return fail;
        }

        public void setFail(boolean fail) {
            this.fail = fail;
        }
    }

    /** The handler the events are for. */
    public Input handle(Input input, Context context) {
        context.getLogger().log("remaining " + context.getRemainingTimeInMillis() + "\n");
        if (input.isFail()) {
            throw new IllegalStateException("for training");
        }
        return input;
    }

    public static void main(String[] arguments) throws IOException {
        ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        Thread platform = new Thread() {
            @Override
            public void run() {
                try {
                    serve(server.accept());
                } catch (IOException lost) {
                    System.err.println(lost);
                    System.exit(1);
                }
                System.exit(0);
            }
        };
        platform.setDaemon(true);
        platform.start();
        library();
        Main.run("127.0.0.1:" + server.getLocalPort(), "lambent.runtime.Training::handle");
    }

    /** What functions need that the quick way does not serve, if AWS's library is there. */
    private static void library() throws IOException {
        AwsLibrary library = AwsLibrary.open();
        if (library == null) {
            return;
        }
        try {
            library.prepareEvents();
            for (Class<?> type : new Class<?>[] {Input.class, Object.class}) {
                AwsLibrary.Serializer serializer = library.serializer(type, false);
                serializer.write(serializer.read(EVENTS[0].getBytes(StandardCharsets.UTF_8)));
            }
        } catch (Throwable failed) {
            throw new IOException("AWS's library fails", failed);
        }
        library.link();
    }

    private static void serve(Socket socket) throws IOException {
        for (String event : EVENTS) {
            request(socket.getInputStream());
            byte[] body = event.getBytes(StandardCharsets.UTF_8);
            String head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: training\r\n"
                    + "Lambda-Runtime-Deadline-Ms: 1\r\nContent-Length: " + body.length + "\r\n\r\n";
            socket.getOutputStream().write((head + event).getBytes(StandardCharsets.UTF_8));
            request(socket.getInputStream());
            socket.getOutputStream().write("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".getBytes(StandardCharsets.UTF_8));
        }
        request(socket.getInputStream());
    }

    /** Reads one request, which comes with one write. */
    private static void request(InputStream in) throws IOException {
        if (in.read(new byte[65536]) < 0) {
            throw new IOException("the runtime went away");
        }
    }
}
