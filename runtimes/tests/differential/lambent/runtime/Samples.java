package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;

/** Random texts and instances for types: mostly what fits, now and then what has to be converted, is odd, or is wrong. */
final class Samples {
    /** Read into every type. */
    static final String[] ODD_TEXTS = {
        "null", "\"\"", "[]", "{}", "0", "\" 5 \"", "1.0", "true", "[[1]]", "{\"a\":1,\"a\":2}", "'x'", "{a:1}", "NaN", "007", "1 2", "+1",
        "\"\\ud800\"", "1e400", "", " ", "nul", "\"\\q\"", "\"\u0001\"", "[null]", "[\"\"]", "\"RED\"", "\"2020-01-02T03:04:05Z\"", "\"AQID\"",
    };
    private static final String[] TEXTS = {
        "", "x", "a b", "\"quoted\"", "back\\slash", "line\nbreak\t", "\u0000\u001f\u007f", "\u00e9\u2028\ud83d\ude00", "/", "5", "true", "null", "RED",
    };
    private static final String[] ODD = {
        "null", "true", "false", "0", "1", "-1", "2147483648", "9223372036854775808", "123456789012345678901234567890", "1.5", "1e2", "-0.0",
        "\"\"", "\" \"", "\"5\"", "\"1.5\"", "\"true\"", "\"false\"", "\"RED\"", "\"red\"", "\"NaN\"", "\"null\"", "[]", "{}", "[1]", "[\"x\"]",
        "[[]]", "[null]", "{\"a\":1}", "\"2020-01-02\"", "\"2020-01-02T03:04:05Z\"", "\"PT5M\"", "\"AQID\"", "1577934245", "1577934245000",
        "\"dddddddd-dddd-dddd-dddd-dddddddddddd\"",
    };
    private static final int DEPTH_MAX = 4;

    private final Random random;

    Samples(Random random) {
        this.random = random;
    }

    private <T> T one(T[] of) {
        return of[random.nextInt(of.length)];
    }

    String json(Type type) {
        return json(type, 0);
    }

    private String json(Type type, int depth) {
        if (random.nextInt(14) == 0) {
            return one(ODD);
        }
        if (depth > DEPTH_MAX) {
            return "null";
        }
        if (type instanceof ParameterizedType) {
            Class<?> raw = (Class<?>) ((ParameterizedType) type).getRawType();
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            if (Map.class.isAssignableFrom(raw)) {
                return object(arguments[0], arguments[1], depth);
            }
            return Collection.class.isAssignableFrom(raw) ? array(arguments[0], depth) : json(arguments[0], depth + 1);
        }
        if (type instanceof GenericArrayType) {
            return array(((GenericArrayType) type).getGenericComponentType(), depth);
        }
        if (type instanceof WildcardType) {
            return json(((WildcardType) type).getUpperBounds()[0], depth);
        }
        return type instanceof Class ? json((Class<?>) type, depth) : one(ODD);
    }

    private String json(Class<?> type, int depth) {
        if (type == String.class || type == CharSequence.class || type == char.class || type == Character.class) {
            return quoted(one(TEXTS));
        }
        if (type == boolean.class || type == Boolean.class) {
            return String.valueOf(random.nextBoolean());
        }
        if (type == double.class || type == Double.class || type == float.class || type == Float.class || type == BigDecimal.class) {
            return String.valueOf(random.nextInt(4) == 0 ? random.nextInt(1000) : random.nextGaussian() * Math.pow(10, random.nextInt(30) - 10));
        }
        if (type.isPrimitive() || Number.class.isAssignableFrom(type)) {
            return String.valueOf(random.nextInt(3) == 0 ? random.nextLong() : random.nextInt(100));
        }
        if (type == Object.class) {
            return random.nextInt(3) == 0 ? object(String.class, Object.class, depth) : random.nextInt(3) == 0 ? array(Object.class, depth) : one(ODD);
        }
        if (type.isEnum()) {
            return random.nextInt(6) == 0 ? String.valueOf(random.nextInt(4)) : quoted(((Enum<?>) one(type.getEnumConstants())).name());
        }
        if (type.isArray()) {
            return type == byte[].class ? "\"AQID\"" : array(type.getComponentType(), depth);
        }
        if (Map.class.isAssignableFrom(type)) {
            return object(String.class, Object.class, depth);
        }
        if (Collection.class.isAssignableFrom(type)) {
            return array(Object.class, depth);
        }
        if (type.getClassLoader() == null) {
            Object instance = instance(type, depth);
            return instance == null ? one(ODD) : quoted(instance.toString());
        }
        return type.getName().startsWith("org.joda.") ? "\"2019-01-02T12:45:07.000Z\"" : bean(type, depth);
    }

    private String bean(Class<?> type, int depth) {
        Map<String, Type> names = new LinkedHashMap<>();
        for (Class<?> one = type; one != null && one != Object.class; one = one.getSuperclass()) {
            for (Field field : one.getDeclaredFields()) {
                names.put(field.getName(), field.getGenericType());
            }
            for (Method method : one.getDeclaredMethods()) {
                String name = method.getName();
                if (name.startsWith("set") && name.length() > 3 && method.getParameterCount() == 1) {
                    names.put(Character.toLowerCase(name.charAt(3)) + name.substring(4), method.getGenericParameterTypes()[0]);
                    names.put(name.substring(3), method.getGenericParameterTypes()[0]);
                }
            }
        }
        List<String> members = new ArrayList<>();
        names.forEach((name, of) -> {
            if (random.nextInt(5) > 0) {
                members.add(quoted(name) + ":" + json(of, depth + 1));
            }
            if (random.nextInt(40) == 0) {
                members.add(quoted(name) + ":" + json(of, depth + 1));
            }
        });
        if (random.nextInt(3) == 0) {
            members.add(random.nextInt(members.size() + 1), "\"unknown\":" + json(Object.class, depth + 1));
        }
        return "{" + String.join(random.nextInt(4) == 0 ? " ,\n" : ",", members) + "}";
    }

    private String object(Type keys, Type values, int depth) {
        List<String> members = new ArrayList<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            String key = json(keys, DEPTH_MAX);
            members.add((key.startsWith("\"") ? key : quoted(key)) + ":" + json(values, depth + 1));
        }
        return "{" + String.join(",", members) + "}";
    }

    private String array(Type items, int depth) {
        List<String> members = new ArrayList<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            members.add(json(items, depth + 1));
        }
        return "[" + String.join(", ", members) + "]";
    }

    private static String quoted(String text) {
        JsonSink sink = new JsonSink(false);
        sink.string(text);
        return sink.toString();
    }

    /** Null where none can be made. */
    Object instance(Type type) {
        return instance(type, 0);
    }

    private Object instance(Type type, int depth) {
        if (type instanceof ParameterizedType) {
            Class<?> raw = (Class<?>) ((ParameterizedType) type).getRawType();
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            if (Map.class.isAssignableFrom(raw)) {
                return map(raw, arguments, depth);
            }
            if (Collection.class.isAssignableFrom(raw)) {
                return collection(raw, arguments[0], depth);
            }
            if (raw == Optional.class) {
                return Optional.ofNullable(instance(arguments[0], depth + 1));
            }
            return instance(raw, depth);
        }
        if (type instanceof WildcardType) {
            return instance(((WildcardType) type).getUpperBounds()[0], depth);
        }
        return type instanceof Class ? instance((Class<?>) type, depth) : null;
    }

    private Object map(Class<?> raw, Type[] arguments, int depth) {
        Map<Object, Object> map = raw == HashMap.class ? new HashMap<>() : raw == TreeMap.class ? new TreeMap<>() : new LinkedHashMap<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            Object key = instance(arguments[0], depth + 1);
            if (key != null) {
                map.put(key, instance(arguments[1], depth + 1));
            }
        }
        return raw.isInstance(map) ? map : null;
    }

    private Object collection(Class<?> raw, Type item, int depth) {
        Collection<Object> items = raw == TreeSet.class ? new TreeSet<>() : Set.class.isAssignableFrom(raw) ? new LinkedHashSet<>() : new ArrayList<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            Object made = instance(item, depth + 1);
            if (made != null || raw != TreeSet.class) {
                items.add(made);
            }
        }
        return raw.isInstance(items) ? items : null;
    }

    private Object instance(Class<?> type, int depth) {
        if (!type.isPrimitive() && (depth > DEPTH_MAX || random.nextInt(12) == 0)) {
            return null;
        }
        Instant time = Instant.ofEpochMilli(random.nextInt(2_000_000_000) * 1000L + (random.nextBoolean() ? random.nextInt(1000) : 0));
        Object[] all = {
            one(TEXTS), random.nextInt(), random.nextLong(), (short) random.nextInt(), (byte) random.nextInt(), random.nextBoolean(),
            random.nextInt(10) == 0 ? Double.NaN : random.nextGaussian(), random.nextInt(10) == 0 ? Float.POSITIVE_INFINITY : random.nextFloat(),
            (char) ('a' + random.nextInt(26)), new BigDecimal(random.nextInt()).movePointLeft(random.nextInt(40) - 20),
            new BigInteger(100, random), Date.from(time), time, LocalDate.ofEpochDay(random.nextInt(20000)),
            LocalDateTime.ofInstant(time, ZoneOffset.UTC), time.atOffset(ZoneOffset.ofHours(random.nextInt(5))),
            time.atZone(ZoneOffset.UTC), Duration.ofMillis(random.nextInt()), new UUID(random.nextLong(), random.nextLong()),
            new byte[] {1, 2, (byte) random.nextInt()},
        };
        for (Object value : all) {
            Class<?> of = value.getClass();
            if (of == type || (type.isPrimitive() && Array.get(Array.newInstance(type, 1), 0).getClass() == of)) {
                return value;
            }
        }
        if (type == Object.class || type == Number.class || type == CharSequence.class) {
            Object value = all[type == Number.class ? 1 + random.nextInt(4) : type == CharSequence.class ? 0 : random.nextInt(all.length)];
            return value;
        }
        if (type.isEnum()) {
            return one(type.getEnumConstants());
        }
        if (type.isArray()) {
            Object array = Array.newInstance(type.getComponentType(), random.nextInt(3));
            for (int i = 0; i < Array.getLength(array); i++) {
                Array.set(array, i, instance(type.getComponentType(), depth + 1));
            }
            return array;
        }
        if (Map.class.isAssignableFrom(type)) {
            return map(type, new Type[] {String.class, Object.class}, depth);
        }
        if (Collection.class.isAssignableFrom(type)) {
            return collection(type, Object.class, depth);
        }
        return type.getClassLoader() == null ? null : made(type, depth);
    }

    private Object made(Class<?> type, int depth) {
        try {
            if (type.isRecord()) {
                RecordComponent[] parts = type.getRecordComponents();
                Class<?>[] types = new Class<?>[parts.length];
                Object[] values = new Object[parts.length];
                for (int i = 0; i < parts.length; i++) {
                    types[i] = parts[i].getType();
                    values[i] = instance(parts[i].getGenericType(), depth + 1);
                }
                Constructor<?> canonical = type.getDeclaredConstructor(types);
                canonical.setAccessible(true);
                return canonical.newInstance(values);
            }
            Constructor<?> constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            Object made = constructor.newInstance();
            for (Class<?> one = type; one != Object.class; one = one.getSuperclass()) {
                for (Field field : one.getDeclaredFields()) {
                    int modifiers = field.getModifiers();
                    Object value = Modifier.isStatic(modifiers) || Modifier.isFinal(modifiers) ? null : instance(field.getGenericType(), depth + 1);
                    if (value != null) {
                        field.setAccessible(true);
                        field.set(made, value);
                    }
                }
            }
            return made;
        } catch (ReflectiveOperationException none) {
            return null;
        }
    }
}
