package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a parameter's type certainly accepts: each kind of JSON value where Java has the same kind, and nothing that would
 * have to be converted (a text for a number, a single value for a list), for that is AWS's library's to do.
 */
final class Shape {
    private enum Kind {
        ANY, TEXT, BOOLEAN, WHOLE, REAL, CONSTANT, LIST, SET, ARRAY, MAP, BEAN
    }

    private final Kind kind;
    private final Class<?> raw;
    private Shape item; // Of lists, sets, arrays and the values of maps.
    private PlainBean bean;
    private Map<String, Shape> properties;

    private Shape(Kind kind, Class<?> raw) {
        this.kind = kind;
        this.raw = raw;
    }

    /** Null if nothing can be said for certain of the type. */
    static Shape of(Type type) {
        return of(type, new HashMap<>());
    }

    /** {@code open}: beans whose shapes are in the making, for they may contain themselves. */
    private static Shape of(Type type, Map<Class<?>, Shape> open) {
        if (type instanceof ParameterizedType) {
            ParameterizedType generic = (ParameterizedType) type;
            Type[] arguments = generic.getActualTypeArguments();
            return container((Class<?>) generic.getRawType(), arguments, open);
        }
        if (!(type instanceof Class)) {
            return null;
        }
        Class<?> raw = (Class<?>) type;
        if (raw.isArray()) {
            return array(raw, open);
        }
        Kind kind = scalar(raw);
        if (kind != null) {
            return new Shape(kind, raw);
        }
        if (raw.isEnum()) {
            return raw.getInterfaces().length == 0 && !raw.getName().startsWith("java") ? new Shape(Kind.CONSTANT, raw) : null;
        }
        Shape container = container(raw, new Type[] {Object.class, Object.class}, open);
        return container != null ? container : bean(raw, open);
    }

    private static Kind scalar(Class<?> raw) {
        if (raw == Object.class) {
            return Kind.ANY;
        }
        if (raw == String.class) {
            return Kind.TEXT;
        }
        if (raw == boolean.class || raw == Boolean.class) {
            return Kind.BOOLEAN;
        }
        if (raw == int.class || raw == Integer.class || raw == long.class || raw == Long.class) {
            return Kind.WHOLE;
        }
        return raw == double.class || raw == Double.class ? Kind.REAL : null;
    }

    private static Shape array(Class<?> raw, Map<Class<?>, Shape> open) {
        Shape shape = new Shape(Kind.ARRAY, raw);
        shape.item = of(raw.getComponentType(), open);
        return shape.item == null ? null : shape;
    }

    private static Shape container(Class<?> raw, Type[] arguments, Map<Class<?>, Shape> open) {
        Shape shape;
        if (raw == List.class || raw == Collection.class || raw == ArrayList.class) {
            shape = new Shape(Kind.LIST, raw);
        } else if (raw == Set.class || raw == HashSet.class) {
            shape = new Shape(Kind.SET, raw);
        } else if ((raw == Map.class || raw == HashMap.class || raw == LinkedHashMap.class)
                && (arguments[0] == String.class || arguments[0] == Object.class)) {
            shape = new Shape(Kind.MAP, raw);
        } else {
            return null;
        }
        shape.item = of(arguments[shape.kind == Kind.MAP ? 1 : 0], open);
        return shape.item == null ? null : shape;
    }

    private static Shape bean(Class<?> raw, Map<Class<?>, Shape> open) {
        Shape known = open.get(raw);
        if (known != null) {
            return known;
        }
        PlainBean bean = raw.isEnum() || raw.isInterface() ? null : PlainBean.of(raw);
        if (bean == null || !bean.canBeMade()) {
            return null;
        }
        Shape shape = new Shape(Kind.BEAN, raw);
        shape.bean = bean;
        shape.properties = new HashMap<>();
        open.put(raw, shape);
        for (PlainBean.Property property : bean.properties()) {
            if (property.writtenAs() != null) {
                Shape part = of(property.writtenAs(), open);
                if (part == null) {
                    return null;
                }
                shape.properties.put(property.name, part);
            }
        }
        return shape;
    }

    /** The value, which {@link Json#exactly} made. Throws {@link Unsure} if it is of another kind, before any code of the function ran. */
    Object read(Object value) {
        check(value);
        try {
            return make(value);
        } catch (ReflectiveOperationException | IllegalArgumentException failed) {
            throw Unsure.INSTANCE; // The function's own code failed, and AWS's library has its words for that.
        }
    }

    private void check(Object value) {
        if (value == null || kind == Kind.ANY) {
            return;
        }
        boolean fits;
        switch (kind) {
            case TEXT:
                fits = value instanceof String;
                break;
            case BOOLEAN:
                fits = value instanceof Boolean;
                break;
            case WHOLE:
                fits = value instanceof Integer || (value instanceof Long && (raw == long.class || raw == Long.class));
                break;
            case REAL:
                fits = value instanceof Double || value instanceof Integer || value instanceof Long;
                break;
            case CONSTANT:
                fits = constant(value) != null;
                break;
            case MAP:
                fits = value instanceof Map && checkAll(((Map<?, ?>) value).values());
                break;
            case BEAN:
                fits = value instanceof Map;
                if (fits) {
                    for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                        Shape part = properties.get(entry.getKey());
                        if (part != null) {
                            part.check(entry.getValue());
                        }
                    }
                }
                break;
            default:
                fits = value instanceof List && checkAll((List<?>) value);
        }
        if (!fits) {
            throw Unsure.INSTANCE;
        }
    }

    private boolean checkAll(Collection<?> values) {
        for (Object value : values) {
            if (value == null && item.raw.isPrimitive()) {
                return false;
            }
            item.check(value);
        }
        return true;
    }

    private Object constant(Object value) {
        for (Object constant : raw.getEnumConstants()) {
            if (((Enum<?>) constant).name().equals(value)) {
                return constant;
            }
        }
        return null;
    }

    private Object make(Object value) throws ReflectiveOperationException {
        if (value == null) {
            return raw.isPrimitive() ? Array.get(Array.newInstance(raw, 1), 0) : null;
        }
        switch (kind) {
            case WHOLE:
                return raw == long.class || raw == Long.class ? (Object) ((Number) value).longValue() : value;
            case REAL:
                return ((Number) value).doubleValue();
            case CONSTANT:
                return constant(value);
            case LIST:
            case SET:
                return collection((List<?>) value);
            case ARRAY:
                Object array = Array.newInstance(raw.getComponentType(), ((List<?>) value).size());
                int at = 0;
                for (Object one : (List<?>) value) {
                    Array.set(array, at++, item.make(one));
                }
                return array;
            case MAP:
                return map((Map<?, ?>) value);
            case BEAN:
                return object((Map<?, ?>) value);
            default:
                return value;
        }
    }

    private Object collection(List<?> values) throws ReflectiveOperationException {
        if (kind == Kind.LIST && item.isAsItComes()) {
            return values;
        }
        Collection<Object> made = kind == Kind.SET ? new HashSet<>() : new ArrayList<>();
        for (Object value : values) {
            made.add(item.make(value));
        }
        return made;
    }

    private Object map(Map<?, ?> values) throws ReflectiveOperationException {
        if (raw != HashMap.class && item.isAsItComes()) {
            return values;
        }
        Map<Object, Object> made = raw == HashMap.class ? new HashMap<>() : new LinkedHashMap<>();
        for (Map.Entry<?, ?> entry : values.entrySet()) {
            made.put(entry.getKey(), item.make(entry.getValue()));
        }
        return made;
    }

    /** The parser made it what it has to be. */
    private boolean isAsItComes() {
        return kind == Kind.ANY || kind == Kind.TEXT || kind == Kind.BOOLEAN;
    }

    private Object object(Map<?, ?> values) throws ReflectiveOperationException {
        Object made = bean.make();
        for (Map.Entry<?, ?> entry : values.entrySet()) {
            Shape part = properties.get(entry.getKey());
            if (part != null) {
                bean.property((String) entry.getKey()).set(made, part.make(entry.getValue()));
            }
        }
        return made;
    }
}
