package lambent.runtime;

import java.lang.reflect.Field;
import java.lang.reflect.Method;

/** What a property is read and written by: its accessors before its field. */
abstract class Member {
    Field field;
    Method getter;
    Method setter;

    final Object get(Object bean) throws ReflectiveOperationException {
        return getter != null ? getter.invoke(bean) : field.get(bean);
    }

    final void set(Object bean, Object value) throws ReflectiveOperationException {
        if (setter != null) {
            setter.invoke(bean, value);
        } else {
            field.set(bean, value);
        }
    }
}
