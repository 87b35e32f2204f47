package example;

import com.amazonaws.services.lambda.runtime.Context;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Methods that show what a runtime does with parameters, results, errors, logs and the context. */
public class Functions {
    private static int count;

    public enum Colour {
        RED,
        GREEN
    }

    public record Pair(String left, List<Integer> right) {}

    public static class Person {
        public String open;
        private String name;
        private int age;
        private List<String> tags;
        private Inner inner;
        private Double ratio;
        private boolean ok;
        private Colour colour;
        private Map<String, Inner> more;
        private transient String transientOne = "t";

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }

        public int getAge() {
            return age;
        }

        public void setAge(int age) {
            this.age = age;
        }

        public List<String> getTags() {
            return tags;
        }

        public void setTags(List<String> tags) {
            this.tags = tags;
        }

        public Inner getInner() {
            return inner;
        }

        public void setInner(Inner inner) {
            this.inner = inner;
        }

        public Double getRatio() {
            return ratio;
        }

        public void setRatio(Double ratio) {
            this.ratio = ratio;
        }

        public boolean isOk() {
            return ok;
        }

        public void setOk(boolean ok) {
            this.ok = ok;
        }

        public Colour getColour() {
            return colour;
        }

        public void setColour(Colour colour) {
            this.colour = colour;
        }

        public Map<String, Inner> getMore() {
            return more;
        }

        public void setMore(Map<String, Inner> more) {
            this.more = more;
        }
    }

    public static class Inner {
        public String open = "o";
        private long number;
        private String unseen = "u";

        public long getNumber() {
            return number;
        }

        public void setNumber(long number) {
            this.number = number;
        }

        public String getURL() {
            return "u";
        }

        public String getaB() {
            return "ab";
        }

        public Date getWhen() {
            return new Date(5);
        }

        public byte[] getBytes() {
            return new byte[] {1, 2, 3};
        }
    }

    public static class Unnamed extends Exception {
        @Override
        public String getMessage() {
            return null;
        }
    }

    public String text(String text, Context context) {
        System.out.println("out " + text);
        System.out.print("half");
        System.err.println("err");
        context.getLogger().log("logged");
        context.getLogger().log("a line é\n");
        context.getLogger().log(new byte[] {65, 10});
        return text + "é\"\\\n\u0001!";
    }

    public Map<String, Object> context(Map<String, Object> event, Context context) {
        Map<String, Object> answer = new LinkedHashMap<>(event);
        answer.put("request", context.getAwsRequestId());
        answer.put("name", context.getFunctionName());
        answer.put("version", context.getFunctionVersion());
        answer.put("memory", context.getMemoryLimitInMB());
        answer.put("arn", context.getInvokedFunctionArn());
        answer.put("group", context.getLogGroupName());
        answer.put("stream", context.getLogStreamName());
        answer.put("timeIsLeft", context.getRemainingTimeInMillis() > 0);
        answer.put("identity", context.getIdentity() == null ? "none" : context.getIdentity().getIdentityId());
        if (context.getClientContext() != null) {
            answer.put("custom", context.getClientContext().getCustom());
            answer.put("environment", context.getClientContext().getEnvironment());
            answer.put("title", context.getClientContext().getClient().getAppTitle());
        }
        answer.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
        return answer;
    }

    public int state(Object event) {
        return ++count;
    }

    public Person person(Person person) {
        return person;
    }

    public Pair record(Pair pair) {
        return pair;
    }

    public List<Integer> sum(List<Integer> numbers) {
        int sum = 0;
        for (Integer number : numbers) {
            sum += number;
        }
        numbers.add(sum);
        return numbers;
    }

    public Map<Integer, Set<Colour>> generic(Map<Integer, Set<Colour>> event) {
        event.forEach((key, value) -> System.out.println((key + 1) + " " + value.contains(Colour.RED)));
        return event;
    }

    public int[] array(int[] event) {
        return new int[] {event.length, event[0]};
    }

    public int number(int number) {
        return number + 1;
    }

    public BigDecimal decimal(BigDecimal number) {
        return number;
    }

    public String anyNumber(Number number) {
        return number.getClass() + " " + number;
    }

    public Map<String, Object> same(Map<String, Object> event) {
        return event;
    }

    public boolean not(boolean value) {
        return !value;
    }

    public Object types(Object event) {
        Map<String, Object> types = new TreeMap<>();
        types.put("class", event == null ? "null" : event.getClass().getName());
        if (event instanceof Map) {
            ((Map<?, ?>) event).forEach((key, value) -> types.put("of_" + key, value == null ? "null" : value.getClass().getName()));
        }
        return types;
    }

    public Object results(String which) {
        Map<String, Object> all = new TreeMap<>();
        all.put("decimal", new BigDecimal("1.10"));
        all.put("float", 1.5f);
        all.put("double", 1e100);
        all.put("nan", Double.NaN);
        all.put("character", 'c');
        all.put("object array", new Object[] {1, "x", null});
        all.put("keys", Map.of(5, "five"));
        all.put("long", Long.MAX_VALUE);
        all.put("control", "\u0000\u001f\u007f\u2028\ud83d\ude00/");
        return all.get(which);
    }

    public void nothing() {}

    public String contextOnly(Context context) {
        return context.getAwsRequestId();
    }

    public static String ofClass(String event) {
        return "static " + event;
    }

    public String overloaded(String event) {
        return "one parameter";
    }

    public String overloaded(String event, Context context) {
        return "with context";
    }

    public void stream(InputStream in, OutputStream out, Context context) throws IOException {
        out.write("raw:".getBytes());
        in.transferTo(out);
    }

    public void streamIn(InputStream in) throws IOException {
        System.out.println(new String(in.readAllBytes()));
    }

    public Object fails(Object event) {
        throw new IllegalStateException("first line\nsecond line é", new RuntimeException("the cause"));
    }

    public Object failsDeep(Object event) throws Exception {
        throw new Unnamed();
    }

    public Object exhausts(Object event) {
        throw new StackOverflowError("deep");
    }

    public Object leaves(Object event) {
        System.out.print("leaving");
        System.exit(3);
        return null;
    }

    /** What only AWS's library has rules for. */
    public Map<String, Object> odd(Map<String, Object> event) {
        Map<String, Object> odd = new LinkedHashMap<>();
        odd.put("date", new Date(1500));
        odd.put("instant", Instant.ofEpochSecond(5, 6));
        odd.put("day", LocalDate.of(2020, 1, 2));
        odd.put("some", Optional.of("x"));
        odd.put("none", Optional.empty());
        odd.put("map", new TreeMap<>(Map.of(Colour.RED, 1)));
        odd.put("event", event);
        return odd;
    }

    public static class Fragile {
        private int count;

        public int getCount() {
            if (count == 0) {
                throw new IllegalStateException("nothing to count");
            }
            return count;
        }

        public void setCount(int count) {
            if (count < 0) {
                throw new IllegalArgumentException("less than nothing");
            }
            this.count = count;
        }
    }

    public Fragile fragile(Fragile fragile) {
        return fragile;
    }

    public String size(int size) {
        return "x".repeat(size);
    }
}
