package dev.whirlwind.tornado;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;

@DisabledOnOs(OS.WINDOWS)
class NativeOutputTest {
    /** As native code writes to standard output. */
    private static void puts(String line) {
        Linker linker = Linker.nativeLinker();
        MethodHandle puts = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("puts"),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS));
        try (Arena arena = Arena.ofConfined()) {
            int written = (int) puts.invokeExact(arena.allocateFrom(line));
            assertThat(written).isNotNegative();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Lines of NVIDIA's and PoCL's, through TornadoVM 5.2.1. */
    @Test
    void failuresOfWhatComputesAreFound() {
        List<String> failures = List.of(
                "[TornadoVM-OCL-JNI] ERROR : clEnqueueNDRangeKernel -> Returned: -5",
                "[JNI] uk.ac.manchester.tornado.drivers.opencl> CL_OUT_OF_RESOURCES error executing"
                        + " CL_COMMAND_NDRANGE_KERNEL on NVIDIA H200 (Device 0).",
                "[TornadoVM-CUDA-JNI] ERROR : cuLaunchKernel -> Returned: 701 (CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES)",
                "[ERROR] clEnqueueReadBuffer, code = -36 n");
        for (int i = 0; i < 2; i++) {
            assertThat(NativeOutput.failures(() -> failures.forEach(NativeOutputTest::puts)))
                    .isEqualTo(failures);
        }
        assertThat(Failures.ofDriver("H200", "in kernel norm ", failures))
                .hasMessageStartingWith(
                        "the driver failed in kernel norm on H200: clEnqueueNDRangeKernel returned -5 (CL_OUT_OF_RESOURCES), ");
    }

    @Test
    void otherLinesAreNone() {
        assertThat(NativeOutput.failures(() -> {
                    puts("[TornadoVM-OCL-NVML-JNI] ERROR : nvmlInit -> Returned: 9");
                    puts("[TornadoVM-OCL-JNI] ERROR : clGetDeviceInfo -> Returned: -30");
                    puts("[TornadoVM-CUDA-JNI] ERROR : cuMemHostRegister -> Returned: 2 (CUDA_ERROR_OUT_OF_MEMORY)");
                    puts("no ERROR of clEnqueueNDRangeKernel");
                }))
                .isEmpty();
        assertThat(NativeOutput.failures(() -> {})).isEmpty();
    }
}
