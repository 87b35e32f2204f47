package lambent.runtime;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import com.amazonaws.services.lambda.runtime.api.client.TooManyServiceProvidersFoundException;
import java.io.File;
import java.util.Iterator;
import java.util.ServiceLoader;

/** The serializer that a function may bring in place of AWS's, named in its {@code META-INF/services}. */
final class CustomSerializer {
    private static final String SERVICE = "META-INF/services/" + CustomPojoSerializer.class.getName();

    private CustomSerializer() {}

    /** Null if there is none. */
    static CustomPojoSerializer find() {
        if (!isNamed()) {
            return null;
        }
        Iterator<CustomPojoSerializer> found = ServiceLoader.load(CustomPojoSerializer.class, ClassLoader.getSystemClassLoader()).iterator();
        if (!found.hasNext()) {
            return null;
        }
        CustomPojoSerializer first = found.next();
        if (found.hasNext()) {
            throw new TooManyServiceProvidersFoundException(
                    "Too many serializers provided inside the META-INF/services folder, only one is allowed");
        }
        return first;
    }

    /** A look into folders first, which is quick: most functions are classes in {@code /var/task} without jars. */
    private static boolean isNamed() {
        boolean jars = false;
        String[] path = System.getProperty("java.class.path").split(File.pathSeparator);
        for (int i = 1; i < path.length; i++) { // The first is the runtime's own.
            if (path[i].endsWith(".jar")) {
                jars = true;
            } else if (new File(path[i], SERVICE).exists()) {
                return true;
            }
        }
        return jars && ClassLoader.getSystemResource(SERVICE) != null;
    }
}
