package lambent.runtime;

import java.io.File;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URI;
import java.net.URL;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Loads AWS's serialisation library from its own jar, apart from the function's class path: a function that brings the
 * library, or Jackson, keeps its own. Everything else it sees is the function's. Leaner than URLClassLoader, and its
 * classes can be in the archive of classes: together half of the time.
 */
final class AwsLoader extends ClassLoader {
    private static final String[] OURS = {"com.amazonaws.lambda.thirdparty.", "com.amazonaws.services.lambda.runtime.serialization."};

    private final File file;
    private final ZipFile jar;
    private final List<Class<?>> loaded = new ArrayList<>();

    AwsLoader(File file) throws IOException {
        super(ClassLoader.getSystemClassLoader());
        this.file = file;
        jar = new ZipFile(file);
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith(OURS[0]) && !name.startsWith(OURS[1])) {
            return super.loadClass(name, resolve);
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> known = findLoadedClass(name);
            return known != null ? known : findClass(name);
        }
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        try {
            ZipEntry entry = jar.getEntry(name.replace('.', '/').concat(".class"));
            if (entry == null) {
                throw new ClassNotFoundException(name);
            }
            byte[] code = jar.getInputStream(entry).readAllBytes();
            Class<?> made = defineClass(name, code, 0, code.length);
            loaded.add(made);
            return made;
        } catch (IOException unreadable) {
            throw new ClassNotFoundException(name, unreadable);
        }
    }

    @Override
    protected URL findResource(String name) {
        try {
            return jar.getEntry(name) == null ? null : URI.create("jar:" + file.toURI() + "!/" + name).toURL();
        } catch (MalformedURLException | IllegalArgumentException odd) {
            return null;
        }
    }

    /** Links all classes that were loaded so far, and what they need: only then they get into an archive of classes. */
    void link() {
        for (int i = 0; i < loaded.size(); i++) {
            loaded.get(i).getDeclaredMethods();
        }
    }
}
