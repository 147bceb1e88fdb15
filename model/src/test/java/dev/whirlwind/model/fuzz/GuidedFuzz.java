package dev.whirlwind.model.fuzz;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * The tests of {@link Fuzz} as a target of Jazzer, which chooses inputs by the code that they reach:
 *
 * <pre>
 * java -cp TEST_CLASS_PATH:jazzer.jar com.code_intelligence.jazzer.Jazzer
 *     --target_class=dev.whirlwind.model.fuzz.GuidedFuzz --instrumentation_includes='dev.whirlwind.**'
 *     --jvm_args=-Dwhirlwind.fuzz.test=CLASS#METHOD:-Dwhirlwind.fuzz.corpus=FOLDER --reproducer_path=target
 *     -max_total_time=3600 FOLDER
 * </pre>
 *
 * A method with several readers gives its last, or that named by {@code -Dwhirlwind.fuzz.name}.
 */
public final class GuidedFuzz {
    private GuidedFuzz() {}

    /** Sets a test up as JUnit would, and keeps its reader instead of running it. */
    public static void fuzzerInitialize() throws ReflectiveOperationException, IOException {
        String[] test = System.getProperty("whirlwind.fuzz.test").split("#", -1);
        Class<?> type = Class.forName(test[0]);
        var constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        Object instance = constructor.newInstance();
        for (Field field : type.getDeclaredFields()) {
            if (field.isAnnotationPresent(TempDir.class)) {
                field.setAccessible(true);
                field.set(instance, Files.createTempDirectory("fuzz"));
            }
        }
        Fuzz.guided = true;
        for (Method method : type.getDeclaredMethods()) {
            if (method.isAnnotationPresent(BeforeEach.class)) {
                method.setAccessible(true);
                method.invoke(instance);
            }
        }
        Method method = type.getDeclaredMethod(test[1]);
        method.setAccessible(true);
        method.invoke(instance);
        Path corpus = Files.createDirectories(Path.of(System.getProperty("whirlwind.fuzz.corpus")));
        for (int i = 0; i < Fuzz.kept.seeds().size(); i++) {
            Files.write(corpus.resolve("seed-" + i), Fuzz.kept.seeds().get(i));
        }
    }

    /** One input. */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        Fuzz.kept.once(input);
    }
}
