package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The properties of classes, by the rules of JavaBeans: getters and setters, public fields, components of records.
 *
 * <p>The classes of {@code aws-lambda-java-events} follow other rules, for which AWS's client has tables: their properties
 * are called by other names ({@code Records}, {@code detail-type}), and some have no constructor to begin with. Here their
 * names are compared without regard to case and hyphens, and such objects are made without a constructor.
 */
final class Beans {
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";

    private static final Map<Class<?>, Beans> KNOWN = new ConcurrentHashMap<>();

    private final Map<String, Property> properties = new LinkedHashMap<>();
    private final Map<String, Property> inAnyCase = new LinkedHashMap<>(); // Of events only.
    private final boolean isEvent;
    private final Constructor<?> constructor;
    private final String[] components; // Of a record, in the order of its constructor; null: not a record.

    /** One property: how to read and how to write it. What can't be done is null. */
    static final class Property extends Member {
        private boolean isField; // The field itself may be written.

        /** Null if it can't be written. */
        Type type() {
            return setter != null ? setter.getGenericParameterTypes()[0] : isField ? field.getGenericType() : null;
        }

        private boolean isVisible() {
            return getter != null || setter != null || Modifier.isPublic(field.getModifiers());
        }

        private boolean isReadable() {
            return getter != null || (field != null && Modifier.isPublic(field.getModifiers()));
        }
    }

    static Beans of(Class<?> type) {
        Beans known = KNOWN.get(type);
        if (known == null) {
            known = new Beans(type);
            KNOWN.put(type, known);
        }
        return known;
    }

    /** The readable properties with their values: fields in the order of the source first, then other getters. */
    static Map<String, Object> toMap(Object bean) {
        Map<String, Object> map = new LinkedHashMap<>();
        of(bean.getClass()).properties.forEach((name, property) -> {
            if (property.isReadable()) {
                try {
                    map.put(name, property.get(bean));
                } catch (ReflectiveOperationException failed) {
                    throw new IllegalStateException("the property " + name + " can't be read", failed);
                }
            }
        });
        return map;
    }

    static List<Object> listOf(Object array) {
        List<Object> list = new ArrayList<>();
        for (int i = 0; i < Array.getLength(array); i++) {
            list.add(Array.get(array, i));
        }
        return list;
    }

    /** Null if there is none of that name. */
    Property property(String name) {
        Property exact = properties.get(name);
        return exact != null || !isEvent ? exact : inAnyCase.get(loosely(name));
    }

    /** Whether the class is one of AWS's events: their times are seconds. */
    boolean isEvent() {
        return isEvent;
    }

    private static String loosely(String name) {
        return name.replace("-", "").toLowerCase();
    }

    /** Names of a record's components, null for other classes. */
    String[] components() {
        return components;
    }

    /** Makes an instance: of records with all components, of others with nothing. */
    Object create(Object... values) throws ReflectiveOperationException {
        if (constructor == null) {
            throw new NoSuchMethodException("no constructor without parameters");
        }
        return constructor.newInstance(values);
    }

    private Beans(Class<?> type) {
        isEvent = type.getName().startsWith(EVENTS);
        addFields(type);
        addMethods(type);
        properties.values().removeIf(property -> !property.isVisible());
        if (isEvent) {
            properties.forEach((name, property) -> inAnyCase.putIfAbsent(loosely(name), property));
        }
        if (type.isRecord()) {
            RecordComponent[] parts = type.getRecordComponents();
            components = new String[parts.length];
            Class<?>[] types = new Class<?>[parts.length];
            for (int i = 0; i < parts.length; i++) {
                components[i] = parts[i].getName();
                types[i] = parts[i].getType();
            }
            constructor = canonical(type, types);
            for (RecordComponent component : parts) {
                Property property = properties.computeIfAbsent(component.getName(), name -> new Property());
                property.getter = accessible(component.getAccessor());
            }
        } else {
            components = null;
            Constructor<?> plain = withoutParameters(type);
            constructor = plain == null && isEvent ? noneAtAll(type) : plain;
        }
    }

    private static Constructor<?> canonical(Class<?> type, Class<?>[] parameters) {
        try {
            return accessible(type.getDeclaredConstructor(parameters));
        } catch (NoSuchMethodException none) {
            throw new AssertionError("every record has its canonical constructor", none);
        }
    }

    private static Constructor<?> withoutParameters(Class<?> type) {
        try {
            return accessible(type.getDeclaredConstructor());
        } catch (NoSuchMethodException none) {
            return null;
        }
    }

    /**
     * Makes an object as deserialisation does, by the constructor of Object alone. Null where the JDK does not let us: it is
     * supported for the likes of us, but by name the compiler warns of it.
     */
    private static Constructor<?> noneAtAll(Class<?> type) {
        try {
            Class<?> factory = Class.forName("sun.reflect.ReflectionFactory");
            Object instance = factory.getMethod("getReflectionFactory").invoke(null);
            Method make = factory.getMethod("newConstructorForSerialization", Class.class, Constructor.class);
            return (Constructor<?>) make.invoke(instance, type, Object.class.getDeclaredConstructor());
        } catch (ReflectiveOperationException absent) {
            return null;
        }
    }

    private static <T extends java.lang.reflect.AccessibleObject> T accessible(T member) {
        member.setAccessible(true);
        return member;
    }

    private void addFields(Class<?> type) {
        if (type.getSuperclass() != null && type.getSuperclass() != Object.class) {
            addFields(type.getSuperclass());
        }
        for (Field field : type.getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers()) && !Modifier.isTransient(field.getModifiers()) && !field.isSynthetic()) {
                Property property = properties.computeIfAbsent(field.getName(), name -> new Property());
                property.field = accessible(field);
                property.isField = isEvent || Modifier.isPublic(field.getModifiers());
            }
        }
    }

    private void addMethods(Class<?> type) {
        for (Method method : type.getMethods()) {
            String name = method.getName();
            if (Modifier.isStatic(method.getModifiers()) || method.isBridge() || method.getDeclaringClass() == Object.class) {
                continue;
            }
            Class<?> result = method.getReturnType();
            int parameters = method.getParameterCount();
            if (parameters == 0 && name.startsWith("get") && name.length() > 3 && result != void.class) {
                of(name.substring(3)).getter = accessible(method);
            } else if (parameters == 0 && name.startsWith("is") && name.length() > 2 && (result == boolean.class || result == Boolean.class)) {
                Property property = of(name.substring(2));
                if (property.getter == null) {
                    property.getter = accessible(method);
                }
            } else if (parameters == 1 && name.startsWith("set") && name.length() > 3) {
                of(name.substring(3)).setter = accessible(method);
            }
        }
    }

    private Property of(String nameInMethod) {
        return properties.computeIfAbsent(decapitalised(nameInMethod), name -> new Property());
    }

    /** As JavaBeans do it: `Name` becomes `name`, but `URL` stays. */
    private static String decapitalised(String name) {
        boolean stays = name.length() > 1 && Character.isUpperCase(name.charAt(0)) && Character.isUpperCase(name.charAt(1));
        return stays ? name : Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }
}
