package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;

/** Plain values, as {@link Json} gives them, to the type that a handler's parameter has. */
final class Binder {
    private Binder() {}

    /** The value doesn't fit the type. */
    static final class Mismatch extends RuntimeException {
        private static final long serialVersionUID = 1;

        Mismatch(Object value, Type type, Throwable cause) {
            super("a value of " + (value == null ? "null" : value.getClass().getSimpleName()) + " is no " + type.getTypeName(), cause);
        }
    }

    static Object bind(Object value, Type type) {
        return bind(value, type, Map.of());
    }

    /** {@code variables}: what the type variables of the class around stand for. */
    private static Object bind(Object value, Type type, Map<TypeVariable<?>, Type> variables) {
        if (type instanceof TypeVariable) {
            Type actual = variables.get(type);
            return bind(value, actual != null ? actual : ((TypeVariable<?>) type).getBounds()[0], variables);
        }
        if (type instanceof WildcardType) {
            return bind(value, ((WildcardType) type).getUpperBounds()[0], variables);
        }
        if (type instanceof GenericArrayType) {
            Type item = ((GenericArrayType) type).getGenericComponentType();
            return value == null ? null : array(asList(value), item, raw(item), variables);
        }
        Type[] arguments = {};
        Class<?> target = (Class<?>) (type instanceof ParameterizedType ? ((ParameterizedType) type).getRawType() : type);
        if (type instanceof ParameterizedType) {
            arguments = ((ParameterizedType) type).getActualTypeArguments().clone();
            for (int i = 0; i < arguments.length; i++) {
                arguments[i] = variables.getOrDefault(arguments[i], arguments[i]);
            }
        }
        if (value == null || (isEmptyList(value) && !holdsList(target))) {
            return target.isPrimitive() ? Array.get(Array.newInstance(target, 1), 0) : null;
        }
        try {
            return bind(value, target, arguments, variables);
        } catch (ReflectiveOperationException | IllegalArgumentException wrong) {
            throw new Mismatch(value, type, wrong);
        }
    }

    private static Object bind(Object value, Class<?> target, Type[] arguments, Map<TypeVariable<?>, Type> variables)
            throws ReflectiveOperationException {
        if (target == Object.class) {
            return Json.plain(value);
        }
        boolean isObject = value instanceof Map;
        boolean isList = value instanceof List;
        if (target.isArray() && (isList || target != byte[].class)) {
            return array(asList(value), target.getComponentType(), target.getComponentType(), variables);
        }
        if (Collection.class.isAssignableFrom(target) || target == Iterable.class) {
            return collection(asList(value), target, arguments.length == 1 ? arguments[0] : Object.class, variables);
        }
        if (isObject && Map.class.isAssignableFrom(target)) {
            return map((Map<?, ?>) value, target, arguments, variables);
        }
        if (!isObject && !isList) {
            return scalar(value, target);
        }
        if (!isObject || target.isPrimitive() || target.getName().startsWith("java.")) {
            throw new Mismatch(value, target, null);
        }
        Map<TypeVariable<?>, Type> inside = new HashMap<>(variables);
        for (int i = 0; i < arguments.length; i++) {
            inside.put(target.getTypeParameters()[i], arguments[i]);
        }
        return bean((Map<?, ?>) value, target, inside);
    }

    private static boolean isEmptyList(Object value) {
        return value instanceof List && ((List<?>) value).isEmpty();
    }

    /** An empty list stands for null where no list can be; but primitives have no null. */
    private static boolean holdsList(Class<?> target) {
        return target == Object.class || target.isPrimitive() || target.isArray() || Iterable.class.isAssignableFrom(target);
    }

    private static Class<?> raw(Type type) {
        if (type instanceof ParameterizedType) {
            return (Class<?>) ((ParameterizedType) type).getRawType();
        }
        return type instanceof Class ? (Class<?>) type : Object.class;
    }

    /** A single value stands for a list of one. */
    private static List<?> asList(Object value) {
        return value instanceof List ? (List<?>) value : Collections.singletonList(value);
    }

    private static Object array(List<?> list, Type item, Class<?> raw, Map<TypeVariable<?>, Type> variables) {
        Object array = Array.newInstance(raw, list.size());
        for (int i = 0; i < list.size(); i++) {
            Array.set(array, i, bind(list.get(i), item, variables));
        }
        return array;
    }

    @SuppressWarnings("unchecked")
    private static Object collection(List<?> list, Class<?> target, Type item, Map<TypeVariable<?>, Type> variables)
            throws ReflectiveOperationException {
        Collection<Object> items;
        if (isConcrete(target)) {
            items = (Collection<Object>) target.getDeclaredConstructor().newInstance();
        } else if (SortedSet.class.isAssignableFrom(target)) {
            items = new TreeSet<>();
        } else if (Set.class.isAssignableFrom(target)) {
            items = new LinkedHashSet<>();
        } else {
            items = Queue.class.isAssignableFrom(target) || Deque.class == target ? new ArrayDeque<>() : new ArrayList<>();
        }
        for (Object value : list) {
            items.add(bind(value, item, variables));
        }
        return items;
    }

    @SuppressWarnings("unchecked")
    private static Object map(Map<?, ?> values, Class<?> target, Type[] arguments, Map<TypeVariable<?>, Type> variables)
            throws ReflectiveOperationException {
        Type ofKeys = arguments.length == 2 ? arguments[0] : Object.class;
        Type ofValues = arguments.length == 2 ? arguments[1] : Object.class;
        Map<Object, Object> map;
        if (target != LinkedHashMap.class && isConcrete(target)) {
            map = (Map<Object, Object>) target.getDeclaredConstructor().newInstance();
        } else if (SortedMap.class.isAssignableFrom(target)) {
            map = new TreeMap<>();
        } else {
            map = new LinkedHashMap<>();
        }
        for (Map.Entry<?, ?> entry : values.entrySet()) {
            map.put(bind(entry.getKey(), ofKeys, variables), bind(entry.getValue(), ofValues, variables));
        }
        return map;
    }

    private static boolean isConcrete(Class<?> type) {
        return !type.isInterface() && !Modifier.isAbstract(type.getModifiers());
    }

    private static Object bean(Map<?, ?> values, Class<?> target, Map<TypeVariable<?>, Type> variables)
            throws ReflectiveOperationException {
        Beans beans = Beans.of(target);
        if (beans.components() != null) {
            Object[] parts = new Object[beans.components().length];
            for (int i = 0; i < parts.length; i++) {
                Type type = target.getRecordComponents()[i].getGenericType();
                parts[i] = bind(values.get(beans.components()[i]), type, variables);
            }
            return beans.create(parts);
        }
        Object bean = beans.create();
        for (Map.Entry<?, ?> entry : values.entrySet()) {
            Beans.Property property = beans.property((String) entry.getKey());
            // What the class doesn't know is ignored, what it only computes as well.
            if (property != null && property.type() != null) {
                Object part = entry.getValue();
                if (beans.isEvent() && property.type() == Date.class && part != null) {
                    property.set(bean, new Date(new BigDecimal(part.toString()).movePointRight(3).longValue()));
                } else {
                    property.set(bean, bind(part, property.type(), variables));
                }
            }
        }
        return bean;
    }

    private static Object scalar(Object value, Class<?> target) throws ReflectiveOperationException {
        if (target.isInstance(value) && target != Number.class) {
            return value;
        }
        String text = value.toString();
        if (target == String.class || target == CharSequence.class) {
            return text;
        }
        if (target == boolean.class || target == Boolean.class) {
            if (!text.equals("true") && !text.equals("false")) {
                throw new Mismatch(value, target, null);
            }
            return value instanceof Boolean ? value : Boolean.valueOf(text);
        }
        if (target == char.class || target == Character.class) {
            if (text.length() != 1) {
                throw new Mismatch(value, target, null);
            }
            return text.charAt(0);
        }
        if (target.isPrimitive() || Number.class.isAssignableFrom(target)) {
            return number(value, text, target);
        }
        if (target.isEnum()) {
            for (Object constant : target.getEnumConstants()) {
                if (((Enum<?>) constant).name().equals(text)) {
                    return constant;
                }
            }
            return null; // As AWS's client does it with names it doesn't know.
        }
        return special(value, text, target);
    }

    private static Object number(Object value, String text, Class<?> target) {
        BigDecimal number = value instanceof Boolean ? null : new BigDecimal(text.trim());
        if (number == null) {
            throw new Mismatch(value, target, null);
        }
        if (target == double.class || target == Double.class) {
            return number.doubleValue();
        }
        if (target == float.class || target == Float.class) {
            return number.floatValue();
        }
        if (target == BigDecimal.class) {
            return number;
        }
        if (target == Number.class) {
            return Json.plain(value);
        }
        BigInteger whole = number.toBigInteger();
        try {
            if (target == int.class || target == Integer.class) {
                return whole.intValueExact();
            }
            if (target == long.class || target == Long.class) {
                return whole.longValueExact();
            }
            if (target == short.class || target == Short.class) {
                return whole.shortValueExact();
            }
            if (target == byte.class || target == Byte.class) {
                return whole.byteValueExact();
            }
        } catch (ArithmeticException tooLarge) {
            throw new Mismatch(value, target, tooLarge);
        }
        return whole;
    }

    private static Object special(Object value, String text, Class<?> target) throws ReflectiveOperationException {
        if (target == byte[].class) {
            return Base64.getDecoder().decode(text);
        }
        if (target == ByteBuffer.class) {
            return ByteBuffer.wrap(Base64.getDecoder().decode(text));
        }
        if (target == Date.class) {
            return value instanceof Number ? new Date(((Number) value).longValue()) : Date.from(Instant.parse(text));
        }
        if (target == Instant.class) {
            return Instant.parse(text);
        }
        if (target == UUID.class) {
            return UUID.fromString(text);
        }
        if (target.getName().equals("org.joda.time.DateTime")) {
            return target.getMethod("parse", String.class).invoke(null, text);
        }
        for (Constructor<?> constructor : target.getConstructors()) {
            if (constructor.getParameterCount() == 1 && constructor.getParameterTypes()[0].isInstance(value)) {
                return constructor.newInstance(value);
            }
        }
        throw new Mismatch(value, target, null);
    }
}
