package lambent.runtime;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Results to JSON, where it is certain what AWS's library would write; {@link Unsure} elsewhere: where a value is not of the
 * very class that was declared, and where its class is not one of Java's plainest or a {@link PlainBean}.
 */
final class PlainWriter {
    /** Deeper may be a value that contains itself. */
    private static final int DEPTH_MAX = 200;

    /** What collections of these classes are written as does not depend on which it is. */
    private static final Set<Class<?>> COLLECTIONS = classes(
            ArrayList.class, LinkedList.class, HashSet.class, LinkedHashSet.class, TreeSet.class, Arrays.asList().getClass(),
            List.of().getClass(), List.of(1).getClass(), Set.of().getClass(), Set.of(1).getClass(), Collections.emptyList().getClass(),
            Collections.emptySet().getClass(), Collections.singletonList(1).getClass(), Collections.singleton(1).getClass(),
            Collections.unmodifiableList(new ArrayList<>()).getClass(), Collections.unmodifiableList(new LinkedList<>()).getClass());
    private static final Set<Class<?>> MAPS = classes(
            HashMap.class, LinkedHashMap.class, TreeMap.class, Map.of().getClass(), Map.of(1, 1).getClass(),
            Collections.emptyMap().getClass(), Collections.singletonMap(1, 1).getClass(),
            Collections.unmodifiableMap(new HashMap<>()).getClass());
    /** Declared types whose values may be any of these. */
    private static final Set<Class<?>> DECLARED = classes(
            Collection.class, List.class, Set.class, Map.class, ArrayList.class, LinkedList.class, HashSet.class, LinkedHashSet.class,
            TreeSet.class, HashMap.class, LinkedHashMap.class, TreeMap.class);
    private static final Set<Class<?>> SCALARS = classes(
            String.class, Boolean.class, Integer.class, Long.class, Short.class, Byte.class, Double.class, Float.class,
            Character.class, BigInteger.class, BigDecimal.class, byte[].class);
    private static final Set<Class<?>> ARRAYS = classes(
            Object[].class, String[].class, int[].class, long[].class, double[].class, boolean[].class);

    /** Of the beans that were met. */
    private static final Map<Class<?>, Boolean> WRITABLE = new ConcurrentHashMap<>();

    private final JsonSink text;
    private int depth;

    private static Set<Class<?>> classes(Class<?>... classes) {
        return new HashSet<>(Arrays.asList(classes));
    }

    private PlainWriter(JsonSink text) {
        this.text = text;
    }

    /** Whether values of the type may be written for certain. No means: never. */
    static boolean mayWrite(Type declared) {
        return mayWrite(declared, new HashSet<>());
    }

    private static boolean mayWrite(Type declared, Set<Class<?>> seen) {
        if (declared instanceof WildcardType) {
            return mayWrite(((WildcardType) declared).getUpperBounds()[0], seen);
        }
        if (declared instanceof ParameterizedType) {
            ParameterizedType generic = (ParameterizedType) declared;
            Type[] arguments = generic.getActualTypeArguments();
            return DECLARED.contains(generic.getRawType()) && mayWrite(arguments[arguments.length - 1], seen)
                    && (arguments.length == 1 || areSureKeys(arguments[0]));
        }
        if (!(declared instanceof Class)) {
            return false;
        }
        Class<?> raw = (Class<?>) declared;
        if (raw == Object.class || raw.isPrimitive() || SCALARS.contains(raw) || ARRAYS.contains(raw) || DECLARED.contains(raw)
                || raw.isEnum() || !seen.add(raw)) {
            return true;
        }
        PlainBean bean = raw.isInterface() ? null : PlainBean.of(raw);
        if (bean == null) {
            return false;
        }
        for (PlainBean.Property property : bean.readable()) {
            if (!mayWrite(property.readAs(), seen)) {
                return false;
            }
        }
        return true;
    }

    private static boolean areSureKeys(Type declared) {
        Type keys = declared instanceof WildcardType ? ((WildcardType) declared).getUpperBounds()[0] : declared;
        return keys == String.class || keys == Object.class;
    }

    /** The result of a handler that declares {@code root} to be its type, for which {@link #mayWrite} holds. */
    static byte[] bytes(Object value, Type root) {
        JsonSink text = new JsonSink(false);
        new PlainWriter(text).value(value, root);
        return text.bytes();
    }

    private void value(Object value, Type declared) {
        if (value == null) {
            text.append("null");
            return;
        }
        Type[] arguments = {Object.class, Object.class};
        Type bound = declared instanceof WildcardType ? ((WildcardType) declared).getUpperBounds()[0] : declared;
        Class<?> type = value.getClass();
        if (bound instanceof ParameterizedType) {
            arguments = ((ParameterizedType) bound).getActualTypeArguments();
            bound = ((ParameterizedType) bound).getRawType();
        }
        if (!(bound instanceof Class) || !isAsDeclared(value, (Class<?>) bound)) {
            throw Unsure.INSTANCE;
        }
        if (type == String.class || type == Character.class) {
            text.string(value.toString());
        } else if (SCALARS.contains(type)) {
            scalar(value);
        } else if (type.isEnum()) {
            if (type.getInterfaces().length > 0) {
                throw Unsure.INSTANCE;
            }
            text.string(((Enum<?>) value).name());
        } else if (MAPS.contains(type)) {
            map((Map<?, ?>) value, arguments);
        } else if (COLLECTIONS.contains(type)) {
            list((Collection<?>) value, arguments[0]);
        } else if (ARRAYS.contains(type)) {
            list(Beans.listOf(value), Object.class);
        } else {
            bean(value);
        }
    }

    /**
     * Of a derived class AWS's library writes all properties, or those of the declared class alone, depending on where the
     * declaration is; and it trips over an element that its collection does not declare.
     */
    private static boolean isAsDeclared(Object value, Class<?> declared) {
        boolean open = declared == Object.class || DECLARED.contains(declared);
        return declared.isPrimitive() || (open ? declared.isInstance(value) : declared == value.getClass());
    }

    private void scalar(Object value) {
        boolean number = !(value instanceof Double && !Double.isFinite((Double) value))
                && !(value instanceof Float && !Float.isFinite((Float) value));
        if (value instanceof byte[]) {
            text.string(Base64.getEncoder().encodeToString((byte[]) value));
        } else if (number) {
            text.append(value.toString());
        } else {
            text.string(value.toString());
        }
    }

    private void map(Map<?, ?> map, Type[] arguments) {
        Type ofValues = arguments[arguments.length - 1];
        enter();
        text.append("{");
        boolean first = true;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (!(entry.getKey() instanceof String)) {
                throw Unsure.INSTANCE;
            }
            first = member((String) entry.getKey(), entry.getValue(), ofValues, first);
        }
        text.append("}");
        depth--;
    }

    private void bean(Object value) {
        // Before any getter is called, for the library will call them all again.
        if (!WRITABLE.computeIfAbsent(value.getClass(), PlainWriter::mayWrite)) {
            throw Unsure.INSTANCE;
        }
        PlainBean bean = PlainBean.of(value.getClass());
        enter();
        text.append("{");
        boolean first = true;
        for (PlainBean.Property property : bean.readable()) {
            Object part;
            try {
                part = property.get(value);
            } catch (ReflectiveOperationException failed) {
                throw Unsure.INSTANCE; // AWS's library has its own words for it.
            }
            first = member(property.name, part, property.readAs(), first);
        }
        text.append("}");
        depth--;
    }

    /** What is null is left out. */
    private boolean member(String name, Object value, Type declared, boolean first) {
        if (value == null) {
            return first;
        }
        if (!first) {
            text.append(",");
        }
        text.string(name);
        text.append(":");
        value(value, declared);
        return false;
    }

    private void list(Collection<?> items, Type declared) {
        enter();
        text.append("[");
        boolean first = true;
        for (Object item : items) {
            if (!first) {
                text.append(",");
            }
            first = false;
            value(item, declared);
        }
        text.append("]");
        depth--;
    }

    private void enter() {
        if (++depth > DEPTH_MAX) {
            throw Unsure.INSTANCE;
        }
    }
}
