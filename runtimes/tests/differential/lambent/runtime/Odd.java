package lambent.runtime;

import java.beans.ConstructorProperties;
import java.io.Serializable;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Calendar;
import java.util.Collection;
import java.util.Collections;
import java.util.Currency;
import java.util.Date;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/** Classes and results that a rule of its own is for, one each. A parameter is an input, a result an output. */
@SuppressWarnings({"unused", "rawtypes", "unchecked"})
final class Odd {
    private Odd() {}

    public enum Colour { RED, GREEN, BLUE }

    public enum Bodied { A { @Override int n() { return 1; } }, B { @Override int n() { return 2; } }; abstract int n(); }

    public enum Named { LOW, HIGH; @Override public String toString() { return name().toLowerCase(Locale.ROOT); } }

    public enum Faced implements Serializable { X, Y; public int getCode() { return 7; } }

    public record Pair(String left, List<Integer> right) {}

    public record Odds(int a, Integer none) { public String getMore() { return "more"; } public boolean isOdd() { return true; } }

    public record Compact(String name) { public Compact { if (name == null) { throw new IllegalArgumentException("no name"); } } }

    public interface Face { String getFace(); default String getDefault() { return "d"; } }

    public interface Bare { String getBare(); }

    public static class Faces implements Face { @Override public String getFace() { return "f"; } public int own = 1; }

    public static class Bares implements Bare, Comparable<Bares>, Cloneable, Serializable {
        private String bare = "b";
        @Override public String getBare() { return bare; }
        public void setBare(String bare) { this.bare = bare; }
        @Override public int compareTo(Bares other) { return 0; }
    }

    public static class Base { public String base = "b"; private int hidden; public int getHidden() { return hidden; } public void setHidden(int h) { hidden = h; } }

    public static class Derived extends Base { public String derived = "d"; @Override public int getHidden() { return super.getHidden() + 1; } }

    public static class Shadow extends Base { public String base = "shadow"; }

    public abstract static class Abstract { public String of = "a"; }

    public static class Concrete extends Abstract { public Integer more; }

    public static class NoSetter { private String name = "n"; private int count; public String getName() { return name; } public int getCount() { return count; } }

    public static class OnlySetter { private String name; public void setName(String name) { this.name = name + "!"; } }

    public static class PrivateSetter { private String name; private void setName(String name) { this.name = "private " + name; } public String getName() { return name; } }

    public static class ProtectedGetter { private String name = "n"; protected String getName() { return name; } public int x; }

    public static class FinalField { public final String fixed = String.valueOf("f"); public int x; }

    public static class TwoSetters { private String v; public void setV(String v) { this.v = v; } public void setV(int v) { this.v = "int " + v; } public String getV() { return v; } }

    public static class OtherSetter { private int v; public void setV(String v) { this.v = v.length(); } public int getV() { return v; } }

    public static class GetAndIs { private Boolean on = true; public Boolean getOn() { return on; } public boolean isOn() { return false; } public void setOn(Boolean on) { this.on = on; } }

    public static class IsBoxed { private Boolean on; public Boolean isOn() { return on; } public void setOn(Boolean on) { this.on = on; } public String isText() { return "no"; } }

    public static class Names {
        private String uRL = "u", aB = "ab", x = "x", iD = "id";
        public String getURL() { return uRL; } public void setURL(String v) { uRL = v; }
        public String getaB() { return aB; } public void setaB(String v) { aB = v; }
        public String getX() { return x; } public void setX(String v) { x = v; }
        public String getID() { return iD; } public void setID(String v) { iD = v; }
        public String gettysburg() { return "address"; } public boolean issue() { return true; } public void settle(String v) { x = v; }
        public String get() { return "get"; } public boolean is() { return false; } public void set(String v) {}
        public String get1() { return "1"; } public String get_under() { return "_"; } public String getÄrger() { return "ä"; }
    }

    public static class Fields { public String Upper = "U"; public String aBc; public transient String passing = "t"; public static String common = "s"; volatile String wide; protected int guarded = 2; }

    public static class Chained { private int n; public Chained setN(int n) { this.n = n; return this; } public int getN() { return n; } }

    public static class Privately { private String s; private Privately() {} public String getS() { return s; } public void setS(String s) { this.s = s; } }

    public static class NoEmpty { public String s; public NoEmpty(String s) { this.s = s; } }

    public static class OfText { public String s; public OfText() {} public OfText(String s) { this.s = "of " + s; } public OfText(int n) { this.s = "of int " + n; } }

    public static class Marked { private final String a; @ConstructorProperties({"a"}) public Marked(String a) { this.a = a; } public String getA() { return a; } }

    public static class Hidden { private String a = "a"; @java.beans.Transient public String getA() { return a; } public void setA(String a) { this.a = a; } public int b; }

    public static class Throws { private int n; public int getN() { if (n > 1) { throw new IllegalStateException("too many"); } return n; } public void setN(int n) { if (n < 0) { throw new IllegalArgumentException("negative"); } this.n = n; } }

    public static class Explodes { public Explodes() { throw new IllegalStateException("no"); } public int n; }

    public static class Own<T> { public T value; public List<T> more; }

    public static class OfOwn extends Own<Integer> { public String s; }

    public static class Loop { public Loop self; public String name = "loop"; }

    public static class Empty {}

    public static class Many {
        public LocalDate date; public Instant instant; public Duration duration; public Optional<String> text; public UUID id; public BigDecimal price;
        public Colour colour; public Named named; public Bodied bodied; public byte[] bytes; public char letter; public float ratio; public short s; public byte b;
        public Date time; public BigInteger big; public Map<Integer, String> keys; public Map<Colour, Integer> colours; public TreeMap<String, Integer> sorted;
        public Number number; public CharSequence chars; public Object any; public Iterable<String> each; public LinkedList<Integer> linked; public Queue<Integer> queue;
    }

    public static class Plain {
        private String name; private int age; private Long large; private double ratio; private boolean ok; private List<String> tags; private Map<String, Plain> more;
        private Colour colour; private Object any; private int[] numbers; private Set<Integer> set; private Integer boxed;
        public String getName() { return name; } public void setName(String v) { name = v; } public int getAge() { return age; } public void setAge(int v) { age = v; }
        public Long getLarge() { return large; } public void setLarge(Long v) { large = v; } public double getRatio() { return ratio; } public void setRatio(double v) { ratio = v; }
        public boolean isOk() { return ok; } public void setOk(boolean v) { ok = v; } public List<String> getTags() { return tags; } public void setTags(List<String> v) { tags = v; }
        public Map<String, Plain> getMore() { return more; } public void setMore(Map<String, Plain> v) { more = v; } public Colour getColour() { return colour; } public void setColour(Colour v) { colour = v; }
        public Object getAny() { return any; } public void setAny(Object v) { any = v; } public int[] getNumbers() { return numbers; } public void setNumbers(int[] v) { numbers = v; }
        public Set<Integer> getSet() { return set; } public void setSet(Set<Integer> v) { set = v; } public Integer getBoxed() { return boxed; } public void setBoxed(Integer v) { boxed = v; }
    }

    public class Inner { public int n; }

    public static class MyMap extends HashMap<String, Integer> { public int extra = 1; }

    public static class MyList extends ArrayList<String> { public int extra = 1; }

    public static class MyNumber extends Number {
        @Override public int intValue() { return 1; } @Override public long longValue() { return 1; } @Override public float floatValue() { return 1; } @Override public double doubleValue() { return 1; }
        @Override public String toString() { return "mine"; }
    }

    public static class Each implements Iterable<String> { @Override public Iterator<String> iterator() { return List.of("a", "b").iterator(); } public int getN() { return 1; } }

    public static class Fails extends RuntimeException { Fails() { super("as a result"); setStackTrace(new StackTraceElement[0]); } }

    static void i01(Plain x) {} static void i02(Many x) {} static void i03(Pair x) {} static void i04(Derived x) {} static void i05(Shadow x) {} static void i06(Abstract x) {}
    static void i07(Concrete x) {} static void i08(NoSetter x) {} static void i09(OnlySetter x) {} static void i10(PrivateSetter x) {} static void i11(ProtectedGetter x) {}
    static void i12(FinalField x) {} static void i13(TwoSetters x) {} static void i14(OtherSetter x) {} static void i15(GetAndIs x) {} static void i16(IsBoxed x) {}
    static void i17(Names x) {} static void i18(Fields x) {} static void i19(Chained x) {} static void i20(Privately x) {} static void i21(NoEmpty x) {} static void i22(OfText x) {}
    static void i23(Marked x) {} static void i24(Hidden x) {} static void i25(Throws x) {} static void i26(Explodes x) {} static void i27(Own<String> x) {} static void i28(OfOwn x) {}
    static void i29(Loop x) {} static void i30(Empty x) {} static void i31(Inner x) {} static void i32(MyMap x) {} static void i33(MyList x) {} static void i34(Face x) {}
    static void i35(String x) {} static void i36(int x) {} static void i37(Integer x) {} static void i38(long x) {} static void i39(double x) {} static void i40(boolean x) {}
    static void i41(Object x) {} static void i42(Map x) {} static void i43(List x) {} static void i44(Map<String, Object> x) {} static void i45(Map<String, String> x) {}
    static void i46(List<String> x) {} static void i47(List<Plain> x) {} static void i48(Map<String, List<Map<String, Integer>>> x) {} static void i49(Set<String> x) {}
    static void i50(HashMap<String, Integer> x) {} static void i51(Map<Integer, String> x) {} static void i52(Map<Colour, Plain> x) {} static void i53(Optional<String> x) {}
    static void i54(Instant x) {} static void i55(LocalDate x) {} static void i56(Date x) {} static void i57(UUID x) {} static void i58(BigDecimal x) {} static void i59(BigInteger x) {}
    static void i60(byte[] x) {} static void i61(ByteBuffer x) {} static void i62(String[] x) {} static void i63(int[][] x) {} static void i64(Object[] x) {} static void i65(Colour x) {}
    static void i66(Named x) {} static void i67(Bodied x) {} static void i68(Faced x) {} static void i69(char x) {} static void i70(float x) {} static void i71(short x) {}
    static void i72(Collection<Double> x) {} static void i73(SortedMap<String, Integer> x) {} static void i74(Queue<String> x) {} static void i75(List<? extends Number> x) {}
    static void i76(Map<String, ?> x) {} static void i77(Compact x) {} static void i78(Odds x) {} static void i79(Bares x) {} static void i80(Faces x) {} static void i81(List<Own<Integer>> x) {}
    static void i82(CharSequence x) {} static void i83(Number x) {} static void i84(List<String>[] x) {} static void i85(AtomicReference<String> x) {} static void i86(Locale x) {}
    static void i87(Plain[] x) {} static void i88(Boolean x) {} static void i89(Double x) {} static void i90(Long x) {} static void i91(ZonedDateTime x) {} static void i92(Calendar x) {}
    static void i93(LinkedHashMap<Object, Plain> x) {} static void i94(Iterable<String> x) {} static void i95(EnumMap<Colour, String> x) {} static void i96(OptionalInt x) {}

    private static <T> T loop(T self, java.util.function.Consumer<T> with) { with.accept(self); return self; }

    private static Map<String, Object> deep(int depth) { Map<String, Object> map = new HashMap<>(); return depth == 0 ? map : new HashMap<>(Map.of("d", deep(depth - 1))); }

    private static Plain full() {
        Plain plain = new Plain(); plain.name = "\u00e9\ud83d\ude00"; plain.any = new Derived(); plain.tags = Arrays.asList("a", null); plain.colour = Colour.BLUE;
        plain.more = Collections.singletonMap("k", new Plain()); plain.numbers = new int[] {1, 2}; plain.set = Set.of(1); plain.ratio = 1e-7; return plain;
    }

    static Plain o01() { return full(); } static Object o02() { return new Derived(); } static Base o03() { return new Derived(); } static Abstract o04() { return new Concrete(); }
    static Face o05() { return new Faces(); } static Bare o06() { return new Bares(); } static List<Base> o07() { return List.of(new Derived(), new Base()); }
    static Map<String, Object> o08() { Map<String, Object> map = new LinkedHashMap<>(); map.put("null", null); map.put("", ""); map.put("d", 1.0); map.put("f", 1.5f); return map; }
    static Map<Object, Object> o09() { Map<Object, Object> map = new LinkedHashMap<>(); map.put(1, "int"); map.put(Colour.RED, "enum"); map.put(null, "null"); return map; }
    static Map<Integer, String> o10() { return new TreeMap<>(Map.of(5, "five", 3, "three")); } static Map<Colour, String> o11() { return new EnumMap<>(Map.of(Colour.RED, "r")); }
    static List<String> o12() { return (List) List.of(1, 2); } static Map<String, Integer> o13() { return (Map) Map.of("a", "not a number"); } static Map<String, String> o14() { return (Map) Map.of(1, "x"); }
    static Object o15() { return new Date(1500); } static Object o16() { return Optional.of("x"); } static Object o17() { return Optional.empty(); } static Optional<Plain> o18() { return Optional.of(full()); }
    static Instant o19() { return Instant.ofEpochSecond(5, 6); } static LocalDate o20() { return LocalDate.of(2020, 1, 2); } static LocalDateTime o21() { return LocalDateTime.of(2020, 1, 2, 3, 4); }
    static Object o22() { return Duration.ofSeconds(90); } static Object o23() { return DayOfWeek.MONDAY; } static Object o24() { return Bodied.A; } static Object o25() { return Named.LOW; }
    static Object o26() { return Faced.X; } static Object o27() { return new byte[] {1, 2, 3}; } static Object o28() { return ByteBuffer.wrap(new byte[] {1}); } static Object o29() { return new char[] {'a', 'b'}; }
    static Object o30() { return new float[] {1.5f}; } static Object o31() { return new String[] {"a", null}; } static Object o32() { return new Object[] {1, "x", null, full()}; } static Object o33() { return new int[][] {{1}, {}}; }
    static Object o34() { return Double.NaN; } static Object o35() { return Float.NEGATIVE_INFINITY; } static double o36() { return 1e21; } static float o37() { return 0.1f; } static char o38() { return '"'; }
    static Object o39() { return new BigDecimal("1E+30"); } static Object o40() { return new BigDecimal("1.10"); } static Object o41() { return BigInteger.TWO.pow(100); } static Object o42() { return new AtomicInteger(3); }
    static Object o43() { return new MyNumber(); } static Object o44() { return new MyMap(); } static Object o45() { return new MyList(); } static Object o46() { return new Each(); } static Object o47() { return new Fails(); }
    static Object o48() { return UUID.nameUUIDFromBytes(new byte[0]); } static Object o49() { return URI.create("x:y"); } static Object o50() { return Locale.GERMANY; } static Object o51() { return Currency.getInstance("EUR"); }
    static Object o52() { return String.class; } static Object o53() { return new StringBuilder("built"); } static Object o54() { return Stream.of(1, 2); } static Object o55() { return List.of(1, 2).iterator(); }
    static Object o56() { return new ArrayDeque<>(List.of(1)); } static Object o57() { return new HashMap<String, Object>() {{ put("a", 1); }}; } static Object o58() { return Map.entry("k", 1); }
    static Object o59() { return new Empty(); } static Object o60() { return new Object(); } static Object o61() { return loop(new Loop(), x -> x.self = x); } static Object o62() { return loop(new HashMap<String, Object>(), x -> x.put("me", x)); }
    static Object o63() { return loop(new ArrayList<Object>(), x -> x.add(x)); } static Object o64() { return deep(150); } static Object o65() { return deep(300); } static Pair o66() { return new Pair("l", null); }
    static Object o67() { return new Odds(1, null); } static List<Pair> o68() { return List.of(new Pair(null, List.of(1))); } static Own<Integer> o69() { return loop(new Own<Integer>(), x -> x.value = 5); } static Object o70() { return loop(new Own<Object>(), x -> x.value = full()); }
    static OfOwn o71() { return loop(new OfOwn(), x -> x.value = 5); } static Number o72() { return 5; } static CharSequence o73() { return "chars"; } static Serializable o74() { return "serial"; } static Comparable<?> o75() { return 5; }
    static String o76() { return "lone \ud800 \udc00 end"; } static String o77() { return null; } static int o78() { return 5; } static long o79() { return Long.MIN_VALUE; } static boolean o80() { return true; } static Integer o81() { return null; }
    static Throws o82() { return loop(new Throws(), x -> x.n = 5); } static Object o83() { return Calendar.getInstance().getFirstDayOfWeek(); } static Object o84() { return new AtomicReference<>("a"); } static Object o85() { return OptionalInt.of(5); }
    static Object o86() { return new TreeSet<>(Set.of("b", "a")); } static Object o87() { return Collections.unmodifiableCollection(List.of(1)); } static Object o88() { return Arrays.asList(1, null, "x").subList(0, 2); } static Object o89() { return new Names(); }
    static Object o90() { return new Fields(); } static Object o91() { return new GetAndIs(); } static Object o92() { return new IsBoxed(); } static Object o93() { return new Hidden(); } static Object o94() { return new Marked("m"); } static Object o95() { return new Many(); }
    static Object o96() { return new Object() { public int getAnonymous() { return 1; } }; } static Object o97() { return (Runnable) () -> {}; } static Object o98() { return ZonedDateTime.of(2020, 1, 2, 3, 4, 5, 0, ZoneId.of("Europe/Berlin")); }
    static Object o99() { return List.of(List.of(Map.of("a", List.of())), new HashSet<>()); } static Collection<Map<String, Base>> p01() { return List.of(Map.of("x", new Derived())); } static Set<Colour> p02() { return Set.of(Colour.RED); }
    static Object p03() { return Collections.synchronizedList(new ArrayList<>(List.of(1))); } static Object p04() { return new ProtectedGetter(); } static Object p05() { return new Shadow(); } static Base p06() { return new Base() { public int extra = 1; }; }
    static Object p07() { return new Odd().new Inner(); } static Object p08() { return java.lang.reflect.Proxy.newProxyInstance(Odd.class.getClassLoader(), new Class<?>[] {Bare.class}, (a, b, c) -> "proxied"); } static Object p09() { return new java.util.Properties(); }
    static List<? extends Base> p10() { return List.of(new Derived()); } static Map<String, ? super Integer> p11() { return Map.of("a", 1); } static <T> T p12() { return (T) full(); } static <T extends Base> T p13() { return (T) new Derived(); } static String[] p14() { return new String[] {"a"}; }
    static Object p15() { return new Bares(); } static Object p16() { return new Faces(); } static Object p17() { return new Chained(); } static Object p18() { return new PrivateSetter(); } static Object p19() { return new NoSetter(); } static Object p20() { return new OnlySetter(); }
}
