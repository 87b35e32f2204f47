package lambent.runtime;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/**
 * {@code aws-lambda-java-serialization}, AWS's own rules of what an event is to a parameter and a result to the caller. It
 * takes 200 ms to load, so it is loaded by the functions alone that need it, see {@link Values}.
 */
final class AwsLibrary {
    private static final String PACKAGE = "com.amazonaws.services.lambda.runtime.serialization.";

    private final AwsLoader loader;
    private final Method read;
    private final Method write;
    private final Method isEvent;
    private final Method ofEvent;

    /** What reads and writes one type. */
    final class Serializer {
        private final Object delegate;

        private Serializer(Object delegate) {
            this.delegate = delegate;
        }

        Object read(byte[] json) throws Throwable {
            return call(read, delegate, new ByteArrayInputStream(json));
        }

        byte[] write(Object value) throws Throwable {
            ByteArrayOutputStream json = new ByteArrayOutputStream();
            call(write, delegate, value, json);
            return json.toByteArray();
        }
    }

    private AwsLibrary(File jar) throws IOException, ReflectiveOperationException {
        loader = new AwsLoader(jar);
        Class<?> serializer = loader.loadClass(PACKAGE + "PojoSerializer");
        read = serializer.getMethod("fromJson", InputStream.class);
        write = serializer.getMethod("toJson", Object.class, OutputStream.class);
        Class<?> events = loader.loadClass(PACKAGE + "events.LambdaEventSerializers");
        isEvent = events.getMethod("isLambdaSupportedEvent", String.class);
        ofEvent = events.getMethod("serializerFor", Class.class, ClassLoader.class);
    }

    /** Null if the library is not next to the runtime's own jar, which is the first of the class path. */
    static AwsLibrary open() {
        String path = System.getProperty("java.class.path");
        int end = path.indexOf(File.pathSeparatorChar);
        File ours = new File(end < 0 ? path : path.substring(0, end));
        File jar = new File(ours.getAbsoluteFile().getParentFile(), "aws-lambda-java-serialization.jar");
        if (!jar.exists()) {
            return null;
        }
        try {
            return new AwsLibrary(jar);
        } catch (IOException | ReflectiveOperationException broken) {
            throw new IllegalStateException("AWS's serialisation library is damaged: " + jar, broken);
        }
    }

    /**
     * The serializer that AWS's client would take for the type. {@code forAndroid}: the caller is a mobile application of
     * that kind; its events and results go through another library, unless they are of AWS's event classes.
     */
    Serializer serializer(Type type, boolean forAndroid) throws Throwable {
        ClassLoader functions = ClassLoader.getSystemClassLoader();
        if (type instanceof Class && (boolean) call(isEvent, null, ((Class<?>) type).getName())) {
            return new Serializer(call(ofEvent, null, type, functions));
        }
        Class<?> factory = loader.loadClass(PACKAGE + "factories." + (forAndroid ? "GsonFactory" : "JacksonFactory"));
        Object instance = call(factory.getMethod("getInstance"), null);
        return new Serializer(call(factory.getMethod("getSerializer", Type.class), instance, type));
    }

    /** For {@link Training}: loads what an event class needs. It fails in the end, as Joda's dates are missing, which functions bring. */
    void prepareEvents() {
        try {
            call(ofEvent, null, Training.Input.class, ClassLoader.getSystemClassLoader());
        } catch (Throwable expected) {
            // Loaded it is.
        }
    }

    /** Makes what was loaded so far fit for an archive of classes. */
    void link() {
        loader.link();
    }

    private static Object call(Method method, Object instance, Object... arguments) throws Throwable {
        try {
            return method.invoke(instance, arguments);
        } catch (InvocationTargetException raised) {
            withoutReflection(raised.getCause(), new HashSet<>());
            throw raised.getCause();
        }
    }

    /** AWS's client calls the library without reflection, and ends the traces where it did. */
    private static void withoutReflection(Throwable error, Set<Throwable> seen) {
        for (Throwable one = error; one != null && seen.add(one); one = one.getCause()) {
            StackTraceElement[] trace = one.getStackTrace();
            int end = 0;
            while (end < trace.length && !trace[end].getClassName().startsWith("lambent.runtime.")) {
                end++;
            }
            while (end > 0 && isReflection(trace[end - 1].getClassName())) {
                end--;
            }
            one.setStackTrace(Arrays.copyOf(trace, end));
            for (Throwable suppressed : one.getSuppressed()) {
                withoutReflection(suppressed, seen);
            }
        }
    }

    private static boolean isReflection(String name) {
        return name.startsWith("jdk.internal.reflect.") || name.equals("java.lang.reflect.Method");
    }
}
