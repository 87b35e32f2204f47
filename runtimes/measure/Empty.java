/** A program that does nothing: what the virtual machine itself costs. */
public class Empty {
    public static void main(String[] arguments) {}
}
