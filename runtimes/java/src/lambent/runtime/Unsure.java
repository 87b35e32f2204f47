package lambent.runtime;

/** The quick way is not certain to give what AWS's library gives, which is then asked. */
final class Unsure extends RuntimeException {
    static final Unsure INSTANCE = new Unsure();

    private static final long serialVersionUID = 1;

    private Unsure() {
        super("not certain", null, false, false);
    }
}
