package lambent.runtime;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The Runtime API over one kept-alive socket: HTTP/1.1 by hand, one write per request.
 *
 * <p>The JDK's HTTP clients load some 200 to 600 classes for what takes two requests here.
 */
final class RuntimeApi {
    private static final String ROOT = "/2018-06-01/runtime/";

    private final String address;
    private Socket socket;
    private InputStream in;
    private OutputStream out;
    private byte[] buffer = new byte[16384];
    private int start;
    private int end;

    /** An event, or the answer to a post. Names of headers are in lower case. */
    static final class Answer {
        final int status;
        final Map<String, String> headers = new HashMap<>();
        byte[] body;

        Answer(int status) {
            this.status = status;
        }
    }

    RuntimeApi(String address) {
        this.address = address;
    }

    /** Waits for an event. */
    Answer next() throws IOException {
        Answer answer = exchange(("GET " + ROOT + "invocation/next HTTP/1.1\r\nHost: " + address + "\r\n\r\n").getBytes(StandardCharsets.UTF_8));
        if (answer.status != 200) {
            throw new IOException("the Runtime API answered " + answer.status + " to next");
        }
        return answer;
    }

    /** Posts JSON to a path below the API's root; {@code more} is header lines, each with its line end. */
    int post(String path, byte[] body, String more) throws IOException {
        String head = "POST " + ROOT + path + " HTTP/1.1\r\nHost: " + address
                + "\r\nContent-Type: application/json\r\nContent-Length: " + body.length + "\r\n" + more + "\r\n";
        byte[] first = head.getBytes(StandardCharsets.UTF_8);
        byte[] request = Arrays.copyOf(first, first.length + body.length);
        System.arraycopy(body, 0, request, first.length, body.length);
        return exchange(request).status;
    }

    private Answer exchange(byte[] request) throws IOException {
        boolean kept = socket != null;
        try {
            return attempt(request);
        } catch (IOException lost) {
            close();
            // A kept connection may have been closed while it was idle; then nothing was received.
            if (!kept || end > 0) {
                throw lost;
            }
            return attempt(request);
        }
    }

    private Answer attempt(byte[] request) throws IOException {
        if (socket == null) {
            int colon = address.lastIndexOf(':');
            socket = new Socket();
            socket.setTcpNoDelay(true);
            socket.connect(new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))));
            in = socket.getInputStream();
            out = socket.getOutputStream();
        }
        start = 0;
        end = 0;
        out.write(request);
        Answer answer;
        do {
            answer = head();
        } while (answer.status < 200);
        answer.body = body(answer);
        if ("close".equalsIgnoreCase(answer.headers.get("connection"))) {
            close();
        }
        return answer;
    }

    private Answer head() throws IOException {
        String first = line();
        Answer answer = new Answer(Integer.parseInt(first.substring(9, 12)));
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            answer.headers.put(line.substring(0, colon).toLowerCase(), line.substring(colon + 1).trim());
        }
        return answer;
    }

    private byte[] body(Answer answer) throws IOException {
        if ("chunked".equalsIgnoreCase(answer.headers.get("transfer-encoding"))) {
            return chunks();
        }
        return bytes(Integer.parseInt(answer.headers.getOrDefault("content-length", "0")));
    }

    private byte[] chunks() throws IOException {
        byte[] all = new byte[0];
        while (true) {
            int size = Integer.parseInt(line().split(";")[0].trim(), 16);
            if (size == 0) {
                while (!line().isEmpty()) {
                    // Trailers say nothing here.
                }
                return all;
            }
            byte[] chunk = bytes(size);
            line();
            all = Arrays.copyOf(all, all.length + size);
            System.arraycopy(chunk, 0, all, all.length - size, size);
        }
    }

    private byte[] bytes(int count) throws IOException {
        byte[] all = new byte[count];
        int have = Math.min(count, end - start);
        System.arraycopy(buffer, start, all, 0, have);
        start += have;
        while (have < count) {
            int more = in.read(all, have, count - have);
            if (more < 0) {
                throw new EOFException("the Runtime API closed the connection in the middle of a body");
            }
            have += more;
        }
        return all;
    }

    private String line() throws IOException {
        int at = start;
        while (true) {
            for (; at < end; at++) {
                if (buffer[at] == '\n') {
                    String line = new String(buffer, start, at - start - 1, StandardCharsets.UTF_8);
                    start = at + 1;
                    return line;
                }
            }
            if (end == buffer.length) {
                buffer = Arrays.copyOf(buffer, buffer.length * 2);
            }
            int more = in.read(buffer, end, buffer.length - end);
            if (more < 0) {
                throw new EOFException("the Runtime API closed the connection");
            }
            end += more;
        }
    }

    private void close() throws IOException {
        if (socket != null) {
            socket.close();
            socket = null;
        }
    }
}
