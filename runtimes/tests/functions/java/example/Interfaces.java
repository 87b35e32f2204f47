package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Map;

/** Handlers that are classes, and classes that can't be handlers. */
public class Interfaces {
    public static class Sum implements RequestHandler<Map<String, Integer>, String> {
        public Sum() {
            System.out.println("constructed");
        }

        @Override
        public String handleRequest(Map<String, Integer> event, Context context) {
            int sum = 0;
            for (Integer number : event.values()) {
                sum += number;
            }
            return "sum " + sum;
        }
    }

    public abstract static class Base<T, R> implements RequestHandler<R, T> {}

    public static class Derived extends Base<String, Functions.Person> {
        @Override
        public String handleRequest(Functions.Person person, Context context) {
            return "name " + person.getName();
        }
    }

    @SuppressWarnings("rawtypes")
    public static class Raw implements RequestHandler {
        @Override
        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public static class Unbounded<T> implements RequestHandler<T, String> {
        @Override
        public String handleRequest(T event, Context context) {
            return event.getClass().getName();
        }
    }

    public static class Bounded<T extends Functions.Person> implements RequestHandler<T, String> {
        @Override
        public String handleRequest(T event, Context context) {
            return event.getName();
        }
    }

    public interface Swap<O, I> extends RequestHandler<I, O> {}

    /** Its input is any object, but its interface names String first. */
    public static class Swapped implements Swap<String, Object> {
        @Override
        public String handleRequest(Object event, Context context) {
            return event.getClass().getName();
        }
    }

    public interface Three<A, I, O> extends RequestHandler<I, O> {}

    public static class OfThree implements Three<Integer, String, String> {
        @Override
        public String handleRequest(String event, Context context) {
            return event;
        }
    }

    public static class Failing implements RequestHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, Context context) {
            throw new UnsupportedOperationException("not so");
        }
    }

    public static class Copy implements RequestStreamHandler {
        @Override
        public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
            in.transferTo(out);
        }
    }

    public static class BadStatic {
        static {
            if (true) {
                throw new IllegalArgumentException("in the static part");
            }
        }

        public String handle(String event) {
            return event;
        }
    }

    public static class BadConstructor {
        public BadConstructor() {
            throw new IllegalArgumentException("in the constructor");
        }

        public String handle(String event) {
            return event;
        }
    }

    public static class NoConstructor {
        public NoConstructor(String needed) {}

        public String handle(String event) {
            return event;
        }
    }

    public class NotStatic {
        public String handle(String event) {
            return event;
        }
    }
}
