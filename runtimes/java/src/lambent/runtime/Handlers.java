package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.Arrays;

/**
 * Finds the function's handler, {@code package.Class} or {@code package.Class::method}, and makes one kind of thing of
 * the three kinds there are: classes with either of the two interfaces, and any public method.
 */
final class Handlers {
    private Handlers() {}

    /** Takes the event, gives the result, both as they are outside. */
    interface Handler {
        byte[] handle(byte[] event, Context context) throws Throwable;
    }

    /** What a method or an interface method does with values. */
    private interface Call {
        Object with(Object input, Context context) throws Throwable;
    }

    /** Throws a fatal fault if the function can't start. What is wrong with its name is told at each invoke. */
    static Handler load(String name) {
        try {
            int colons = name.indexOf("::");
            Class<?> type = classOf(colons < 0 ? name : name.substring(0, colons));
            return colons < 0 ? ofInterface(type) : ofMethod(type, name.substring(colons + 2));
        } catch (Fault fault) {
            if (fault.isFatal()) {
                throw fault;
            }
            return (event, context) -> {
                throw fault;
            };
        }
    }

    private static Class<?> classOf(String name) {
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException missing) {
            Fault.trim(missing, new java.util.HashSet<>());
            throw Fault.badCode("Class not found: " + name, missing);
        } catch (Throwable failed) {
            Fault.trim(failed, new java.util.HashSet<>());
            throw new Fault(Fault.BAD_CODE, "Error loading class " + name, failed, true);
        }
    }

    private static Handler ofInterface(Class<?> type) {
        if (RequestStreamHandler.class.isAssignableFrom(type)) {
            RequestStreamHandler handler = (RequestStreamHandler) create(type);
            return (event, context) -> {
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                handler.handleRequest(new ByteArrayInputStream(event), out, context);
                return out.toByteArray();
            };
        }
        if (RequestHandler.class.isAssignableFrom(type)) {
            Type[] types = HandlerTypes.of(type);
            @SuppressWarnings("unchecked")
            RequestHandler<Object, Object> handler = (RequestHandler<Object, Object>) create(type);
            return ofValues(types[0], types[1], handler::handleRequest);
        }
        throw Fault.badCode("Class does not implement an appropriate handler interface: " + type.getName(), null);
    }

    private static Handler ofMethod(Class<?> type, String name) {
        Method method = null;
        for (Method candidate : type.getMethods()) {
            boolean suits = candidate.getName().equals(name) && !candidate.isBridge() && fits(candidate);
            if (suits && (method == null || rank(candidate) > rank(method))) {
                method = candidate;
            }
        }
        if (method == null) {
            throw Fault.badCode(
                    "No public method named " + name + " with appropriate method signature found on class " + type.getName(), null);
        }
        return ofMethod(type, method);
    }

    private static Handler ofMethod(Class<?> type, Method method) {
        Object instance = Modifier.isStatic(method.getModifiers()) ? null : create(type);
        method.setAccessible(true);
        Class<?>[] parameters = method.getParameterTypes();
        boolean writes = Arrays.asList(parameters).contains(OutputStream.class);
        if (writes || Arrays.asList(parameters).contains(InputStream.class)) {
            return (event, context) -> {
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                invoke(method, instance, arguments(parameters, new ByteArrayInputStream(event), out, context));
                return writes ? out.toByteArray() : JsonText.bytes(null);
            };
        }
        boolean hasInput = parameters.length > 0 && parameters[0] != Context.class;
        Type input = hasInput ? method.getGenericParameterTypes()[0] : null;
        return ofValues(input, method.getGenericReturnType(), (value, context) -> invoke(method, instance, arguments(parameters, value, null, context)));
    }

    /** Whether a handler may look like this: at most input, output stream and context, in this order. */
    private static boolean fits(Method method) {
        Class<?>[] types = method.getParameterTypes();
        switch (types.length) {
            case 0:
            case 1:
                return true;
            case 2:
                return types[0] != Context.class && (types[1] == Context.class || (types[0] == InputStream.class && types[1] == OutputStream.class));
            case 3:
                return types[0] == InputStream.class && types[1] == OutputStream.class && types[2] == Context.class;
            default:
                return false;
        }
    }

    /** Of two methods of one name the one with the context as its last parameter serves, then the one with more. */
    private static int rank(Method method) {
        Class<?>[] types = method.getParameterTypes();
        boolean endsWithContext = types.length > 0 && types[types.length - 1] == Context.class;
        return types.length + (endsWithContext ? 4 : 0);
    }

    private static Object[] arguments(Class<?>[] types, Object input, OutputStream out, Context context) {
        Object[] arguments = new Object[types.length];
        for (int i = 0; i < types.length; i++) {
            arguments[i] = types[i] == Context.class ? context : types[i] == OutputStream.class ? out : input;
        }
        return arguments;
    }

    private static Object invoke(Method method, Object instance, Object[] arguments) throws Throwable {
        try {
            return method.invoke(instance, arguments);
        } catch (InvocationTargetException raised) {
            throw raised.getCause();
        }
    }

    private static Handler ofValues(Type input, Type output, Call call) {
        Values values;
        try {
            values = new Values(input, output);
        } catch (Throwable impossible) {
            Fault.trim(impossible, new java.util.HashSet<>());
            String message = impossible.getLocalizedMessage();
            throw Fault.badCode(message == null ? impossible.getClass().getName() : message, impossible);
        }
        return (event, context) -> {
            Object value;
            try {
                value = values.read(event, context.getClientContext());
            } catch (Throwable wrong) {
                throw new RuntimeException("An error occurred during JSON parsing", wrong);
            }
            Object result = call.with(value, context);
            try {
                return values.write(result, context.getClientContext());
            } catch (Throwable wrong) {
                throw new RuntimeException("An error occurred during JSON serialization of response", wrong);
            }
        };
    }

    private static Object create(Class<?> type) {
        try {
            return type.getConstructor().newInstance();
        } catch (InvocationTargetException raised) {
            Throwable cause = raised.getCause();
            Fault.trim(cause, new java.util.HashSet<>());
            String message = cause.getMessage();
            throw new Fault(Fault.BAD_CODE, message == null ? cause.getClass().getName() : message, cause, true);
        } catch (ReflectiveOperationException impossible) {
            boolean inner = type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers());
            String message = "Class " + type.getName()
                    + (inner ? " cannot be instantiated because it is a non-static inner class" : " has no public zero-argument constructor");
            Exception cause = new Exception(message);
            Fault.trim(cause, new java.util.HashSet<>());
            throw Fault.badCode(message, cause);
        }
    }
}
