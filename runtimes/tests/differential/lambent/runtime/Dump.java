package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Collection;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Values as texts: every class, every field, in order, so that two texts are equal only if a function could see no difference. */
final class Dump {
    private static final int DEPTH_MAX = 30;

    private Dump() {}

    static String of(Object value) {
        return of(value, 0);
    }

    private static String of(Object value, int depth) {
        if (value == null) {
            return "null";
        }
        if (depth > DEPTH_MAX) {
            return "...";
        }
        Class<?> type = value.getClass();
        StringBuilder text = new StringBuilder(type.getName());
        if (value instanceof Map) {
            ((Map<?, ?>) value).forEach((key, item) -> text.append(" {").append(of(key, depth + 1)).append(": ").append(of(item, depth + 1)).append('}'));
        } else if (value instanceof Collection) {
            Stream<String> items = ((Collection<?>) value).stream().map(item -> " [" + of(item, depth + 1) + "]");
            // By chance, where its elements have no hash of their own.
            (type == HashSet.class ? items.sorted() : items).forEachOrdered(text::append);
        } else if (value instanceof Optional) {
            text.append(' ').append(of(((Optional<?>) value).orElse(null), depth + 1));
        } else if (type.isArray()) {
            for (int i = 0; i < Array.getLength(value); i++) {
                text.append(" [").append(of(Array.get(value, i), depth + 1)).append(']');
            }
        } else if (value instanceof Enum || type.getClassLoader() == null || type.getName().startsWith("org.joda.")) {
            text.append(' ').append(value.toString().replaceAll("@[0-9a-f]+", "@"));
        } else {
            for (Class<?> one = type; one.getClassLoader() != null; one = one.getSuperclass()) {
                for (Field field : one.getDeclaredFields()) {
                    if (!Modifier.isStatic(field.getModifiers())) {
                        field.setAccessible(true);
                        try {
                            text.append(" (").append(field.getName()).append(": ").append(of(field.get(value), depth + 1)).append(')');
                        } catch (IllegalAccessException never) {
                            throw new AssertionError(never);
                        }
                    }
                }
            }
        }
        return text.toString();
    }
}
