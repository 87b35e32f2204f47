"""Java: what a handler gets and what its caller gets is what AWS's serialisation library makes of it, to the last byte.

Classes are generated, and values for them; `differential/` reads and writes each as the runtime does, and by the library
alone. `LAMBENT_VALUES` is the number of values, `LAMBENT_SEED` the seed of another run.
"""

import os
import random
import re
import subprocess
import zipfile

import pytest

from conftest import BUILT, HERE

CLASSES = 60
VALUES = int(os.environ.get("LAMBENT_VALUES", "1000"))
SEED = int(os.environ.get("LAMBENT_SEED", "1"))
SCALARS = ["String"] * 6 + ["int", "Integer", "long", "Long", "double", "Double", "boolean", "Boolean"] * 2 + ["Object", "Odd.Colour"]
RARE = [
    "float", "short", "byte", "char", "Character", "java.math.BigDecimal", "java.math.BigInteger", "java.time.Instant", "java.time.LocalDate",
    "java.time.LocalDateTime", "java.time.OffsetDateTime", "java.time.Duration", "java.util.Date", "java.util.UUID", "byte[]", "Number",
    "Odd.Named", "Odd.Bodied", "Odd.Pair", "CharSequence", "java.util.Optional<String>", "java.util.TreeMap<String, Integer>",
    "java.util.Map<Integer, String>", "java.util.Map<Odd.Colour, String>", "java.util.LinkedList<String>", "java.util.SortedSet<String>",
]  # fmt: skip
BOXED = {"int": "Integer", "long": "Long", "double": "Double", "boolean": "Boolean", "float": "Float", "short": "Short", "byte": "Byte", "char": "Character"}
NAMES = ["name", "id", "URL", "aB", "x", "yTop", "value", "Upper", "is", "get", "items", "_under", "a1", "isOk", "createdAt"]


class Generator:
    """Sources of classes, most of them such as people write, some odd."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.made = []
        self.parents = []
        """Those of them that others can extend."""

    def often(self, percent):
        return self.random.randrange(100) < percent

    def type(self, depth=0, rare=6):
        pick = self.random.randrange(100)
        if pick < rare:
            return self.random.choice(RARE)
        if pick < 20 and self.made:
            return self.random.choice(self.made)
        if pick < 40 and depth < 3:
            inner = self.type(depth + 1, rare)
            inner = BOXED.get(inner, inner)
            kinds = ["java.util.List<%s>"] * 3 + ["java.util.Map<String, %s>"] * 3 + ["java.util.Set<%s>", "java.util.Collection<%s>"]
            return self.random.choice(kinds) % inner
        if pick < 44 and depth < 2:
            return self.random.choice(["int", "String", "double", "long", "boolean", "Object"]) + "[]"
        return self.random.choice(SCALARS)

    def source(self, number):
        name = "C%d" % number
        rare = self.random.choice([0, 0, 0, 5, 15])
        names = self.random.sample(NAMES, self.random.randrange(1, 7))
        if self.often(10):
            parts = ["%s %s" % (self.type(rare=rare), one) for one in names if one not in ("is", "get")]
            self.made.append(name)
            return "public record %s(%s) {}" % (name, ", ".join(parts))
        above = ""
        if self.parents and self.often(15):
            above = " extends " + self.random.choice(self.parents)
        lines = []
        for one in names:
            of = self.type(rare=rare)
            self.members(lines, one + ("Of%d" % number if above else ""), of)
        if self.often(8):
            lines.append("public %s(String text) {}" % name)
            if self.often(60):
                lines.append("%s %s() {}" % (self.random.choice(["public", "private", "protected", ""]), name))
        self.random.shuffle(lines)
        self.made.append(name)
        if not any(name + "(" in line for line in lines):
            self.parents.append(name)
        return "public static class %s%s { %s }" % (name, above, "\n".join(lines))

    def members(self, lines, name, of):
        access = "public" if self.often(25) else "private"
        if self.often(12):
            access = self.random.choice(["public", "public final", "protected", "", "private transient", "public transient", "public static"])
        initial = ""
        if "final" in access:
            initial = " = " + ("false" if of == "boolean" else "0" if of in BOXED else "null")
        lines.append("%s %s %s%s;" % (access, of, name, initial))
        if access == "public" and self.often(80):
            return
        suffix = name[0].upper() + name[1:]
        static = "static" in access
        if static:
            return
        if self.often(92):
            prefix = "is" if of in ("boolean", "Boolean") and self.often(70) else "get"
            visible = "public" if self.often(95) else self.random.choice(["private", "protected", ""])
            lines.append("%s %s %s%s() { return %s; }" % (visible, of, prefix, suffix, name))
        if self.often(90) and "final" not in access:
            visible = "public" if self.often(95) else self.random.choice(["private", "protected", ""])
            lines.append("%s void set%s(%s given) { %s = given; }" % (visible, suffix, of, name))

    def file(self):
        classes = [self.source(number) for number in range(CLASSES)]
        inputs = self.made + [self.type(1, rare=2) for _ in range(20)]
        methods = ["static void m%d(%s x) {}" % pair for pair in enumerate(inputs)]
        body = "\n".join(classes + methods)
        return "package lambent.runtime;\n@SuppressWarnings(\"all\") final class Generated {\n%s\n}\n" % body


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """The comparison, the classes that it compares by, and the class path of a function."""
    folder = tmp_path_factory.mktemp("values")
    generated = folder / "Generated.java"
    generated.write_text(Generator(SEED).file())
    path = "%s:%s/*" % (BUILT / "java/lambent.jar", BUILT / "java-events")
    sources = [*(HERE / "differential").rglob("*.java"), generated]
    subprocess.run(["javac", "--release", "17", "-proc:none", "-nowarn", "-cp", path, "-d", folder / "classes", *sources], check=True)
    return "%s:%s:%s/*" % (BUILT / "java/lambent.jar", folder / "classes", BUILT / "java-events")


def compared(path, *names, values=VALUES):
    command = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", path, "lambent.runtime.Differential", str(SEED), str(values), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    *differences, end = done.stdout.splitlines()
    counts = {name: int(count) for name, count in re.findall(r"(\w+) (\d+)", end)}
    assert counts["differences"] == 0, "%d differences, the first:\n%s" % (counts["differences"], "\n".join(differences)[:4000])
    return counts


def test_generated_classes_are_read_and_written_as_by_the_library(classes):
    counts = compared(classes, "lambent.runtime.Generated")
    assert counts["read"] >= VALUES and counts["written"] >= VALUES
    # The quick way serves what people write; else it would be none.
    assert counts["quick"] * 2 > counts["read"] + counts["written"], counts


def test_aws_events_are_read_and_written_as_by_the_library(classes):
    jar = next((BUILT / "java-events").glob("aws-lambda-java-events-*.jar"))
    folder = "com/amazonaws/services/lambda/runtime/events/"
    names = [name for name in zipfile.ZipFile(jar).namelist() if re.fullmatch(folder + r"\w+\.class", name)]
    assert len(names) > 50
    compared(classes, *(name.removesuffix(".class").replace("/", ".") for name in names))


def test_odd_classes_are_read_and_written_as_by_the_library(classes):
    compared(classes, "lambent.runtime.Odd")
