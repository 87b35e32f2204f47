package lambent.runtime;

import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;

/** What a class that is a handler takes and gives. */
final class HandlerTypes {
    private HandlerTypes() {}

    /** A class or interface on the way up, and what its type variables stand for. */
    private static final class Step {
        private final Class<?> raw;
        private final Type[] arguments; // Null: none were given.
        private final Map<String, Type> variables = new HashMap<>();

        Step(Type type, Step below) {
            if (type instanceof ParameterizedType) {
                raw = (Class<?>) ((ParameterizedType) type).getRawType();
                arguments = ((ParameterizedType) type).getActualTypeArguments().clone();
                for (int i = 0; i < arguments.length; i++) {
                    if (arguments[i] instanceof TypeVariable) {
                        arguments[i] = below.variables.getOrDefault(((TypeVariable<?>) arguments[i]).getName(), arguments[i]);
                    }
                    variables.put(raw.getTypeParameters()[i].getName(), arguments[i]);
                }
            } else {
                raw = (Class<?>) type;
                arguments = null;
            }
        }
    }

    /**
     * Input and output. As AWS's client finds them: of the interface with type arguments that is nearest to the class and
     * is RequestHandler or extends it; so the arguments of an interface in between count, in its own order.
     */
    static Type[] of(Class<?> handler) {
        String refusal = "Class " + handler.getName() + " does not implement RequestHandler with concrete type parameters";
        Type[] found = nearest(handler);
        if (found == null) {
            throw Fault.badCode(refusal, null);
        }
        if (found.length != 2) {
            throw Fault.badCode("Invalid class signature for RequestHandler. Expected two generic types, got " + found.length, null);
        }
        for (Type type : found) {
            if (type instanceof TypeVariable && isUnbounded((TypeVariable<?>) type)) {
                throw Fault.badCode(refusal + ": parameter " + type + " has no upper bound.", null);
            }
        }
        return found;
    }

    private static boolean isUnbounded(TypeVariable<?> variable) {
        for (Type bound : variable.getBounds()) {
            if (bound != Object.class) {
                return false;
            }
        }
        return true;
    }

    private static Type[] nearest(Class<?> handler) {
        Queue<Step> steps = new ArrayDeque<>();
        steps.add(new Step(handler, null));
        while (!steps.isEmpty()) {
            Step step = steps.remove();
            for (Type face : step.raw.getGenericInterfaces()) {
                Step above = new Step(face, step);
                if (above.arguments != null && RequestHandler.class.isAssignableFrom(above.raw)) {
                    return above.arguments;
                }
                steps.add(above);
            }
            if (step.raw.getGenericSuperclass() != null) {
                steps.add(new Step(step.raw.getGenericSuperclass(), step));
            }
        }
        return null;
    }
}
