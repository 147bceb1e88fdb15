package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;

import dev.whirlwind.tornado.kernels.Transfers;
import java.lang.invoke.SerializedLambda;
import java.lang.reflect.Method;
import org.junit.jupiter.api.Test;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task2;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** How TornadoVM finds a kernel's method from 6.0 on; 5.x reads the reference's bytecode. */
class TasksTest {
    @Test
    void referencesToKernelsNameTheirMethods() throws Exception {
        Task2<IntArray, Integer> task = Transfers::wCanary;
        Method writeReplace = task.getClass().getDeclaredMethod("writeReplace");
        writeReplace.setAccessible(true);
        SerializedLambda lambda = (SerializedLambda) writeReplace.invoke(task);
        assertThat(lambda.getImplClass()).isEqualTo(Transfers.class.getName().replace('.', '/'));
        assertThat(lambda.getImplMethodName()).isEqualTo("wCanary");
    }
}
