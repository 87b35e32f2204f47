package lambent.runtime;

import java.io.Serializable;
import java.lang.annotation.Annotation;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A class whose properties are beyond doubt: public getters, public setters and public fields, one of each for a name, and
 * nothing that AWS's library would treat by a rule of its own. Its rules here: fields that are not public are no
 * properties; setters and getters win over fields; names are those of JavaBeans; the order is that of the fields, then of
 * the methods.
 */
final class PlainBean {
    private static final PlainBean NONE = new PlainBean();
    private static final Map<Class<?>, PlainBean> KNOWN = new ConcurrentHashMap<>();

    private final Map<String, Property> properties = new LinkedHashMap<>();
    private final List<Property> readable = new ArrayList<>();
    private Constructor<?> constructor; // Null: no instance can be made for certain.

    /** One property, whose field is known if it is public. What can't be done is null. */
    static final class Property extends Member {
        final String name;
        private boolean fixed; // The field is final.

        Property(String name) {
            this.name = name;
        }

        /** What the getter or the field declares. */
        Type readAs() {
            return getter != null ? getter.getGenericReturnType() : field.getGenericType();
        }

        /** What the setter or the field takes; null if there is neither: such a member of an object is left alone. */
        Type writtenAs() {
            return setter != null ? setter.getGenericParameterTypes()[0] : field == null ? null : field.getGenericType();
        }
    }

    private PlainBean() {}

    /** Null if there is any doubt. */
    static PlainBean of(Class<?> type) {
        PlainBean known = KNOWN.get(type);
        if (known == null) {
            known = new PlainBean();
            if (!known.learn(type)) {
                known = NONE;
            }
            KNOWN.put(type, known);
        }
        return known == NONE ? null : known;
    }

    /** Those that a result has, in their order. */
    List<Property> readable() {
        return readable;
    }

    Property property(String name) {
        return properties.get(name);
    }

    /** Whether an object of JSON can be made an instance for certain. */
    boolean canBeMade() {
        return constructor != null;
    }

    Iterable<Property> properties() {
        return properties.values();
    }

    Object make() throws ReflectiveOperationException {
        return constructor.newInstance();
    }

    /** Whether the class is the function's own, with nothing about it that AWS's library looks for. */
    static boolean isOrdinary(Class<?> type) {
        String name = type.getName();
        boolean odd = type.isInterface() || type.isArray() || type.isPrimitive() || type.isAnnotation() || type.isSynthetic()
                || type.isHidden() || Proxy.isProxyClass(type) || type.getTypeParameters().length > 0;
        ClassLoader loader = type.getClassLoader();
        boolean javas = loader == null || loader == ClassLoader.getPlatformClassLoader() || name.startsWith("java.");
        return !odd && !javas && !name.startsWith("org.joda.time.") && !name.startsWith("groovy.") && !isMarked(type)
                && hasOrdinaryInterfaces(type);
    }

    private static boolean hasOrdinaryInterfaces(Class<?> type) {
        for (Class<?> face : type.getInterfaces()) {
            if (face == Serializable.class || face == Comparable.class || face == Cloneable.class) {
                continue;
            }
            String name = face.getName();
            if (name.startsWith("java") || name.startsWith("groovy.") || isMarked(face) || !hasOrdinaryInterfaces(face)) {
                return false;
            }
            for (Method method : face.getDeclaredMethods()) {
                if (isAccessor(method) && (method.isDefault() || isMarked(method))) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Whether it has an annotation that AWS's library heeds: of the JDK's beans, or of the library's own packages. */
    private static boolean isMarked(AnnotatedElement element) {
        for (Annotation annotation : element.getDeclaredAnnotations()) {
            String name = annotation.annotationType().getName();
            if (name.startsWith("java.beans.") || name.startsWith("com.amazonaws.lambda.thirdparty.")) {
                return true;
            }
        }
        return false;
    }

    private static boolean isAccessor(Method method) {
        String name = method.getName();
        int parameters = method.getParameterCount();
        Class<?> result = method.getReturnType();
        if (Modifier.isStatic(method.getModifiers()) || method.isSynthetic()) {
            return false;
        }
        boolean gets = parameters == 0 && name.startsWith("get") && name.length() > 3 && result != void.class;
        boolean is = parameters == 0 && name.startsWith("is") && name.length() > 2 && (result == boolean.class || result == Boolean.class);
        return gets || is || (parameters == 1 && name.startsWith("set") && name.length() > 3);
    }

    private boolean learn(Class<?> type) {
        List<Class<?>> chain = new ArrayList<>(); // From the class itself upwards.
        for (Class<?> one = type; one != Object.class; one = one.getSuperclass()) {
            if (one == null || one == Record.class || !(one.isRecord() ? isPlainRecord(one) : isOrdinary(one))) {
                if (one == Record.class && chain.size() == 1) {
                    break;
                }
                return false;
            }
            chain.add(one);
        }
        for (int i = chain.size() - 1; i >= 0; i--) {
            if (!learnFields(chain.get(i))) {
                return false;
            }
        }
        Set<String> seen = new HashSet<>(); // Methods below override those above.
        for (Class<?> one : chain) {
            for (Method method : one.getDeclaredMethods()) {
                boolean part = type.isRecord() ? isComponent(type, method) : isAccessor(method);
                if (part && seen.add(method.getName() + List.of(method.getParameterTypes())) && !learnMethod(method, type.isRecord())) {
                    return false;
                }
            }
        }
        // Properties that nothing public stands for keep their place until here.
        properties.values().removeIf(property -> property.field == null && property.getter == null && property.setter == null);
        boolean certain = !type.isRecord() && !Modifier.isAbstract(type.getModifiers())
                && (type.getEnclosingClass() == null || Modifier.isStatic(type.getModifiers()));
        for (Property property : properties.values()) {
            if (property.getter != null || property.field != null) {
                readable.add(property);
            }
            certain &= property.setter != null || !property.fixed;
        }
        constructor = certain ? withoutParameters(type) : null;
        return !properties.isEmpty();
    }

    private boolean learnFields(Class<?> type) {
        for (Field field : type.getDeclaredFields()) {
            int modifiers = field.getModifiers();
            if (isMarked(field)) {
                return false;
            }
            if (Modifier.isStatic(modifiers) || Modifier.isTransient(modifiers) || field.isSynthetic()) {
                continue;
            }
            Property property = new Property(field.getName());
            if (properties.put(field.getName(), property) != null) {
                return false; // One hides the other.
            }
            if (Modifier.isPublic(modifiers)) {
                field.setAccessible(true);
                property.field = field;
                property.fixed = Modifier.isFinal(modifiers);
            }
        }
        return true;
    }

    private boolean learnMethod(Method method, boolean ofRecord) {
        String name = method.getName();
        boolean sets = method.getParameterCount() == 1;
        boolean isPublic = Modifier.isPublic(method.getModifiers());
        if (isMarked(method) || method.getReturnType() == Void.class || name.equals("getMetaClass") || name.equals("getCallbacks")) {
            return false;
        }
        if (!isPublic) {
            return !sets; // A setter counts even if it is private; a getter that is not public doesn't.
        }
        method.setAccessible(true);
        String called = ofRecord ? name : decapitalised(name.substring(name.startsWith("is") ? 2 : 3));
        Property property = properties.computeIfAbsent(called, Property::new);
        if (sets ? property.setter != null : property.getter != null) {
            return false;
        }
        if (sets) {
            property.setter = method;
        } else {
            property.getter = method;
        }
        return true;
    }

    /** A record that is its components and no more. */
    private static boolean isPlainRecord(Class<?> type) {
        if (!isOrdinary(type)) {
            return false;
        }
        for (Method method : type.getDeclaredMethods()) {
            if (isAccessor(method)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isComponent(Class<?> type, Method method) {
        if (method.getParameterCount() > 0 || method.isSynthetic() || Modifier.isStatic(method.getModifiers())) {
            return false;
        }
        for (java.lang.reflect.RecordComponent component : type.getRecordComponents()) {
            if (component.getName().equals(method.getName())) {
                return true;
            }
        }
        return false;
    }

    private static Constructor<?> withoutParameters(Class<?> type) {
        Constructor<?> found = null;
        for (Constructor<?> constructor : type.getDeclaredConstructors()) {
            if (isMarked(constructor)) {
                return null;
            }
            if (constructor.getParameterCount() == 0) {
                constructor.setAccessible(true);
                found = constructor;
            }
        }
        return found;
    }

    /** As JavaBeans do it: `Name` becomes `name`, but `URL` stays. */
    private static String decapitalised(String name) {
        boolean stays = name.length() > 1 && Character.isUpperCase(name.charAt(1));
        return stays ? name : Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }
}
