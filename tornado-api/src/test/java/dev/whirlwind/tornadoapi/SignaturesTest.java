package dev.whirlwind.tornadoapi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.FieldModel;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.ConstantValueAttribute;
import java.lang.constant.ConstantDesc;
import java.lang.reflect.AccessFlag;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import uk.ac.manchester.tornado.api.TaskGraph;

/** Every public or protected member of ours is in the installed SDK, with the same types and modifiers. */
class SignaturesTest {
    private static final Set<AccessFlag> COMPARED = Set.of(
            AccessFlag.PUBLIC,
            AccessFlag.PROTECTED,
            AccessFlag.STATIC,
            AccessFlag.ABSTRACT,
            AccessFlag.INTERFACE,
            AccessFlag.ANNOTATION,
            AccessFlag.ENUM);

    @Test
    void areThoseOfTheSdk() throws Exception {
        Optional<Path> jar = sdkJar();
        assertThat(jar.isPresent() || !"required".equals(System.getenv("WHIRLWIND_DEVICE_TESTS")))
                .as("an SDK is required here")
                .isTrue();
        assumeTrue(jar.isPresent(), "needs a TornadoVM SDK (TORNADOVM_HOME, TORNADO_SDK or SDKMAN)");
        List<ClassModel> ours = ourClasses();
        assertThat(ours).hasSizeGreaterThan(20);
        List<String> problems = new ArrayList<>();
        try (JarFile sdk = new JarFile(jar.get().toFile())) {
            for (ClassModel our : ours) {
                if (isVisible(our.flags().flags())) {
                    compare(our, sdk, problems);
                }
            }
        }
        assertThat(problems).isEmpty();
    }

    private static void compare(ClassModel our, JarFile sdk, List<String> problems) throws IOException {
        String name = our.thisClass().asInternalName();
        Optional<ClassModel> found = read(sdk, name);
        if (found.isEmpty()) {
            problems.add(name + " is not in the SDK");
            return;
        }
        ClassModel their = found.get();
        check(compared(our.flags().flags()), compared(their.flags().flags()), name, problems);
        if (!our.superclass().map(Object::toString).equals(their.superclass().map(Object::toString))) {
            problems.add(name + " extends " + their.superclass() + " in the SDK");
        }
        for (var type : our.interfaces()) {
            // Which 5.x's tasks are not; see TornadoFunctions.
            if (type.asInternalName().equals("java/io/Serializable")) {
                continue;
            }
            if (their.interfaces().stream().noneMatch(t -> t.asInternalName().equals(type.asInternalName()))) {
                problems.add(name + " does not implement " + type.asInternalName() + " in the SDK");
            }
        }
        for (FieldModel field : our.fields()) {
            if (isVisible(field.flags().flags())) {
                String what = name + "." + field.fieldName().stringValue();
                Optional<FieldModel> theirs = their.fields().stream()
                        .filter(f -> f.fieldName()
                                        .equalsString(field.fieldName().stringValue())
                                && f.fieldType().equalsString(field.fieldType().stringValue()))
                        .findFirst();
                if (theirs.isEmpty()) {
                    problems.add(what + " is not in the SDK");
                } else {
                    check(
                            compared(field.flags().flags()),
                            compared(theirs.get().flags().flags()),
                            what,
                            problems);
                    check(constant(field), constant(theirs.get()), what, problems);
                }
            }
        }
        for (MethodModel method : our.methods()) {
            if (isVisible(method.flags().flags())) {
                compare(name, method, their, sdk, problems);
            }
        }
    }

    private static void compare(String name, MethodModel our, ClassModel their, JarFile sdk, List<String> problems)
            throws IOException {
        String what =
                name + "." + our.methodName().stringValue() + our.methodType().stringValue();
        // A method that their class inherits counts.
        for (Optional<ClassModel> c = Optional.of(their);
                c.isPresent();
                c = c.get().superclass().isEmpty()
                        ? Optional.empty()
                        : read(sdk, c.get().superclass().get().asInternalName())) {
            Optional<MethodModel> theirs = c.get().methods().stream()
                    .filter(m -> m.methodName().equalsString(our.methodName().stringValue())
                            && m.methodType().equalsString(our.methodType().stringValue()))
                    .findFirst();
            if (theirs.isPresent()) {
                check(
                        compared(our.flags().flags()),
                        compared(theirs.get().flags().flags()),
                        what,
                        problems);
                return;
            }
        }
        problems.add(what + " is not in the SDK");
    }

    private static void check(Object ours, Object theirs, String what, List<String> problems) {
        if (!ours.equals(theirs)) {
            problems.add(what + " is " + theirs + " in the SDK, not " + ours);
        }
    }

    private static Optional<ConstantDesc> constant(FieldModel field) {
        return field.findAttribute(Attributes.constantValue())
                .map(ConstantValueAttribute::constant)
                .map(c -> c.constantValue());
    }

    private static boolean isVisible(Set<AccessFlag> flags) {
        return (flags.contains(AccessFlag.PUBLIC) || flags.contains(AccessFlag.PROTECTED))
                && !flags.contains(AccessFlag.SYNTHETIC);
    }

    private static Set<AccessFlag> compared(Set<AccessFlag> flags) {
        Set<AccessFlag> compared = new java.util.TreeSet<>(flags);
        compared.retainAll(COMPARED);
        return compared;
    }

    private static Optional<ClassModel> read(JarFile jar, String name) throws IOException {
        var entry = jar.getJarEntry(name + ".class");
        if (entry == null) {
            return Optional.empty();
        }
        try (InputStream in = jar.getInputStream(entry)) {
            return Optional.of(ClassFile.of().parse(in.readAllBytes()));
        }
    }

    /** Read as files: with an SDK on the module path the loaded classes are the SDK's own. */
    private static List<ClassModel> ourClasses() throws Exception {
        URI tests = SignaturesTest.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI();
        Path root = Path.of(tests).resolveSibling("classes");
        assertThat(root.resolve(TaskGraph.class.getName().replace('.', '/') + ".class"))
                .exists();
        List<ClassModel> classes = new ArrayList<>();
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.filter(f -> f.toString().endsWith(".class")).toList()) {
                classes.add(ClassFile.of().parse(Files.readAllBytes(file)));
            }
        }
        return classes;
    }

    private static Optional<Path> sdkJar() throws IOException {
        String sdkman = System.getenv().getOrDefault("SDKMAN_DIR", System.getProperty("user.home") + "/.sdkman");
        for (String home : new String[] {
            System.getenv("TORNADOVM_HOME"), System.getenv("TORNADO_SDK"), sdkman + "/candidates/tornadovm/current"
        }) {
            Path jars = home == null ? null : Path.of(home, "share/java/tornado");
            if (jars != null && Files.isDirectory(jars)) {
                try (Stream<Path> files = Files.list(jars)) {
                    return files.filter(f -> f.getFileName().toString().matches("tornado-api-.*\\.jar"))
                            .findFirst();
                }
            }
        }
        return Optional.empty();
    }
}
