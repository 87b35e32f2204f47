package lambent.runtime;

import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Reads and writes generated values as the runtime does, and by AWS's library alone, and tells every difference: of what
 * the handler gets, of what the caller gets, of errors. Arguments: a seed, the least number of values, and classes: AWS's
 * events, and others whose methods have the types: a parameter is an input, a result an output.
 */
public final class Differential {
    private final AwsLibrary library = AwsLibrary.open();
    private final Samples samples;
    private final List<String> differences = new ArrayList<>();
    private int read;
    private int written;
    private int quick;

    private Differential(long seed) {
        samples = new Samples(new Random(seed));
    }

    /** What came of an attempt. */
    private interface Attempt {
        Object make() throws Throwable;
    }

    private static String outcome(Attempt attempt) {
        try {
            return Dump.of(attempt.make());
        } catch (Throwable failed) {
            StringBuilder text = new StringBuilder();
            for (Throwable one = failed; one != null; one = one.getCause()) {
                text.append("failed: ").append(one.getClass().getName()).append(": ").append(one.getMessage()).append('\n');
            }
            return text.toString().replaceAll("@[0-9a-f]+", "@");
        }
    }

    private void compare(String what, String ours, String theirs) {
        if (!ours.equals(theirs)) {
            differences.add(what + "\n  ours   " + ours + "\n  theirs " + theirs);
        }
    }

    /** Whether the quick way served. */
    private boolean reads(Type type, String json) {
        byte[] event = json.getBytes(StandardCharsets.UTF_8);
        Values[] values = new Values[1];
        String ours = outcome(() -> {
            values[0] = new Values(type, null);
            return values[0].read(event, null);
        });
        String theirs = outcome(() -> library.serializer(type, false).read(event));
        compare(type.getTypeName() + " from " + json, ours, theirs);
        return values[0] != null && !values[0].isAsked();
    }

    /** {@code value}: gives one for each side, for some can be used but once. */
    private void writes(Attempt value, Type type) {
        Values[] values = new Values[1];
        String ours = outcome(() -> {
            values[0] = new Values(null, type);
            return new String(values[0].write(value.make(), null), StandardCharsets.UTF_8);
        });
        String theirs = outcome(() -> new String(library.serializer(type, false).write(value.make()), StandardCharsets.UTF_8));
        compare(type.getTypeName() + " to JSON: " + outcome(value), ours, theirs);
        written++;
        if (values[0] != null && !values[0].isAsked()) {
            quick++;
        }
    }

    private void input(Type type) {
        String json = samples.json(type);
        quick += reads(type, json) ? 1 : 0;
        read++;
        Object value = read(type, json);
        writes(() -> value, type);
        writes(() -> value, Object.class);
    }

    /** Null if it can't be read. */
    private Object read(Type type, String json) {
        try {
            return library.serializer(type, false).read(json.getBytes(StandardCharsets.UTF_8));
        } catch (Throwable refused) {
            return null;
        }
    }

    public static void main(String[] arguments) throws Throwable {
        int least = Integer.parseInt(arguments[1]);
        Differential test = new Differential(Long.parseLong(arguments[0]));
        if (test.library == null) {
            throw new IllegalStateException("AWS's library is missing");
        }
        List<Type> inputs = new ArrayList<>();
        List<Method> outputs = new ArrayList<>();
        for (int i = 2; i < arguments.length; i++) {
            if (arguments[i].startsWith("com.amazonaws.")) {
                inputs.add(Class.forName(arguments[i]));
                continue;
            }
            for (Method method : Class.forName(arguments[i]).getDeclaredMethods()) {
                if (method.isSynthetic()) {
                    continue;
                }
                method.setAccessible(true);
                if (method.getParameterCount() == 1) {
                    inputs.add(method.getGenericParameterTypes()[0]);
                } else if (method.getParameterCount() == 0) {
                    outputs.add(method);
                }
            }
        }
        inputs.sort((a, b) -> a.getTypeName().compareTo(b.getTypeName()));
        for (Method method : outputs) {
            test.writes(() -> method.invoke(null), method.getGenericReturnType());
            test.writes(() -> method.invoke(null), Object.class);
        }
        for (Type type : inputs) {
            for (String json : Samples.ODD_TEXTS) {
                test.reads(type, json);
            }
        }
        for (int i = 0; test.read < least || test.written < least; i = (i + 1) % inputs.size()) {
            test.input(inputs.get(i));
            Object made = test.samples.instance(inputs.get(i));
            test.writes(() -> made, inputs.get(i));
        }
        test.differences.forEach(System.out::println);
        System.out.println("read " + test.read + " written " + test.written + " quick " + test.quick + " differences " + test.differences.size());
    }
}
