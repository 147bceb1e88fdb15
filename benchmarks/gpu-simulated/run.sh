#!/usr/bin/env bash
# Runs the kernels for GPUs on a simulated one, oclgrind, and says what they would cost on real ones. Needs Debian's or
# Ubuntu's packages oclgrind and ocl-icd-libopencl1, gcc, and a TornadoVM SDK with OpenCL.
#
#   run.sh check          all architectures at odd sizes train a step and generate; data races and accesses out of bounds
#                         are reported, planted ones, too
#   run.sh uninitialised  the same, and values that were never set; slower by far
#   run.sh table [bf16]   a table per GPU of devices.csv: what each kernel needs in a step of gpt2 with 8 x 1024 tokens
#
# Without an argument: check, then table. Where the simulator is missing it says so and ends, with an error where
# WHIRLWIND_DEVICE_TESTS=required.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
. .mvn/find-jdk.sh
. .mvn/tornado-flags.sh
work=$PWD/tornado-kernels/target/gpu-simulated
mkdir -p "$work/icd"

missing() {
  echo "gpu-simulated: skipped, $1" >&2
  [ "${WHIRLWIND_DEVICE_TESTS:-}" != required ] || exit 1
  exit 0
}

simulator=$(find /usr/lib /usr/local/lib "${OCLGRIND_HOME:-/nonexistent}" -name liboclgrind-rt-icd.so 2>/dev/null | head -n 1) || true
[ -n "$simulator" ] || missing "oclgrind is not installed"
command -v gcc >/dev/null || missing "there is no gcc"
flags=$(whirlwind_tornado_flags) || missing "${flags:-no TornadoVM SDK found}"
# An argument a line, in quotes: folders have spaces.
printf '%s\n' "$flags" | sed 's/.*/"&"/' >"$work/flags"
gcc -shared -fPIC -o "$work/one_device_type.so" "$here/one_device_type.c" -ldl
echo "$simulator" >"$work/icd/oclgrind.icd"
# Local memory as a group may have on every GPU; oclgrind's own default is less.
export OCL_ICD_VENDORS="$work/icd" OCLGRIND_LOCAL_MEM_SIZE=49152 OCLGRIND_GLOBAL_MEM_SIZE=1073741824

tests() {
  rm -f "$work/findings"
  env LD_PRELOAD="$work/one_device_type.so" OCLGRIND_DATA_RACES=1 OCLGRIND_LOG="$work/findings" WHIRLWIND_DEVICE_TESTS=required "$@" \
    ./mvnw -q -B -pl tornado-kernels -am -Dspotless.check.skip -Dsurefire.failIfNoSpecifiedTests=false \
    -Dtest=SimulatedGpuTest "-Dtornado.flags=@$work/flags" "-Dtest.flags=${compiler:-}" package
}

java_simulated() {
  "$JAVA_HOME/bin/java" --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED -XX:+UseSerialGC \
    "@$work/flags" -Dtornado.printKernel=True -cp "$classpath" dev.whirlwind.tornado.SimulatedGpu "$@"
}

# Registers, bytes of stack and of local memory of each kernel whose text was printed: kernel,registers,stack,local.
registers() {
  for tool in clang-14 ptxas; do command -v $tool >/dev/null || return 1; done
  rm -rf "$work/cl" && mkdir "$work/cl"
  awk -v dir="$work/cl" '/__kernel void/ { name = $3; sub(/\(.*/, "", name); file = seen[name]++ ? "" : dir "/" name ".cl"
      if (file) print "#pragma OPENCL EXTENSION cl_khr_fp64 : enable" >file }
    file { print >file } /^}  \/\/  kernel/ { file = "" }' "$work/counts"
  for cl in "$work"/cl/*.cl; do
    clang-14 -x cl -cl-std=CL1.2 -O3 -w -cl-fast-relaxed-math -cl-mad-enable -target nvptx64--nvidiacl \
      -Xclang -target-cpu -Xclang sm_75 -Xclang -finclude-default-header \
      -Xclang -mlink-builtin-bitcode -Xclang /usr/lib/clc/nvptx64--nvidiacl.bc -S -o "$cl.ptx" "$cl" 2>"$cl.err" &&
      ptxas -v -arch=sm_90 "$cl.ptx" -o /dev/null 2>"$cl.err" || { echo "no registers of $cl: $(head -n 1 "$cl.err")" >&2; continue; }
    name=$(basename "$cl" .cl)
    number() { grep -oE "$1" "$cl.err" | grep -oE '[0-9]+' | head -n 1 || true; }
    used=$(number 'Used [0-9]+ registers')
    stack=$(number '[0-9]+ bytes stack frame')
    shared=$(number '[0-9]+ bytes smem')
    echo "$name,${used:-0},${stack:-0},${shared:-0}"
  done >"$work/registers.csv"
}

table() {
  ./mvnw -q -B -pl cli -am -Dspotless.check.skip -DskipTests package
  classpath=tornado-kernels/target/test-classes:$(printf '%s:' cli/target/lib/*.jar)
  echo "counting instructions, some minutes" >&2
  LD_PRELOAD="$work/one_device_type.so" OCLGRIND_INST_COUNTS=1 java_simulated run "$1" >"$work/counts" 2>&1
  registers=
  if registers; then registers=$work/registers.csv; fi
  java_simulated table "$1" "$work/counts" "$here/devices.csv" $registers
}

case ${1:-all} in
  check) tests ;;
  # Compilers' simplifications of what is not set are beyond the simulator ("Unsupported instruction: freeze").
  uninitialised) compiler=-Dtornado.opencl.compiler.flags=-cl-opt-disable tests OCLGRIND_UNINITIALIZED=1 ;;
  table) table "${2:-fp32}" ;;
  all) tests && table fp32 ;;
  *) sed -n '2,/^set/p' "$0" | sed '/^set/d; s/^# \{0,1\}//' >&2 && exit 2 ;;
esac
