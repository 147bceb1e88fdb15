#!/bin/sh
# Prints the JVM flags that put a TornadoVM SDK on the module path, one a line (fit for a java @argfile). Where no SDK is
# found it prints nothing and returns 1. Looks at TORNADOVM_HOME, TORNADO_SDK and SDKMAN's current one.

whirlwind_tornado_home() {
  for whirlwind_sdk in "${TORNADOVM_HOME:-}" "${TORNADO_SDK:-}" \
      "${SDKMAN_DIR:-$HOME/.sdkman}/candidates/tornadovm/current"; do
    if [ -n "$whirlwind_sdk" ] && [ -d "$whirlwind_sdk/share/java/tornado" ]; then
      printf '%s\n' "$whirlwind_sdk"
      return 0
    fi
  done
  return 1
}

whirlwind_tornado_flags() {
  whirlwind_sdk=$(whirlwind_tornado_home) || return 1
  whirlwind_template=
  for whirlwind_file in tornado-argfile.template tornado-argfile; do
    if [ -z "$whirlwind_template" ] && [ -r "$whirlwind_sdk/$whirlwind_file" ]; then
      whirlwind_template=$whirlwind_sdk/$whirlwind_file
    fi
  done
  if [ -n "$whirlwind_template" ]; then
    # Its choice of collector, of preview features and of the working folder as a place for modules is not taken; an
    # option and its value, which it parts with a space, become one argument.
    sed -e "s|\${TORNADOVM_HOME}|$whirlwind_sdk|g; s|\${TORNADO_SDK}|$whirlwind_sdk|g" \
        -e '/^[[:space:]]*#/d; /^[[:space:]]*$/d; /UseParallelGC/d; /--enable-preview/d; /^-Xm/d' \
        -e 's/ALL-SYSTEM,//; s/^--module-path \.:/--module-path /; s/^\(--[a-z-]*\) /\1=/' \
        "$whirlwind_template"
  else
    whirlwind_built_flags "$whirlwind_sdk"
  fi
  # A kernel that cannot run on the device is an error, never slow Java in silence; and room for large graphs.
  printf '%s\n' -Dtornado.recover.bailout=False -Dtornado.tvm.maxbytecodesize=1048576
}

# For an SDK built from source, which has no argfile.
whirlwind_built_flags() {
  whirlwind_api=uk.ac.manchester.tornado
  printf '%s\n' -XX:+UnlockExperimentalVMOptions -XX:+EnableJVMCI \
      "-Djava.library.path=$1/lib" \
      "--module-path=$1/share/java/tornado"
  if [ -d "$1/share/java/graalJars" ]; then
    printf '%s\n' "--upgrade-module-path=$1/share/java/graalJars"
  fi
  printf '%s\n' \
      -Dtornado.load.api.implementation=$whirlwind_api.runtime.tasks.TornadoTaskGraph \
      -Dtornado.load.runtime.implementation=$whirlwind_api.runtime.TornadoCoreRuntime \
      -Dtornado.load.tornado.implementation=$whirlwind_api.runtime.common.Tornado \
      -Dtornado.load.annotation.implementation=$whirlwind_api.annotation.ASMClassVisitor \
      -Dtornado.load.annotation.parallel=$whirlwind_api.api.annotations.Parallel
  whirlwind_modules=tornado.runtime,tornado.annotation,tornado.drivers.common
  whirlwind_native=
  whirlwind_lists=common
  for whirlwind_backend in opencl ptx cuda spirv metal; do
    if grep -qs "^tornado.backends=.*$whirlwind_backend" "$1/etc/tornado.backend"; then
      whirlwind_lists="$whirlwind_lists $whirlwind_backend"
      whirlwind_modules=$whirlwind_modules,tornado.drivers.$whirlwind_backend
      whirlwind_native=$whirlwind_native,tornado.drivers.$whirlwind_backend
    fi
  done
  for whirlwind_list in $whirlwind_lists; do
    grep -v '^[[:space:]]*\(#.*\)*$' "$1/etc/exportLists/$whirlwind_list-exports"
  done
  printf '%s\n' "--add-modules=$whirlwind_modules" "--enable-native-access=${whirlwind_native#,}"
}

# Says why Java does not start with an SDK's flags, "$@", and returns 1; else says nothing. Java reads all modules at its
# start, and ends there with an SDK made for another version.
whirlwind_tornado_misfit() {
  whirlwind_said=$("$JAVA_HOME/bin/java" "$@" -version 2>&1) && return 0
  printf '%s\n' "the TornadoVM SDK in $(whirlwind_tornado_home) does not fit the JDK in $JAVA_HOME" \
      "($(printf '%s\n' "$whirlwind_said" | sed -n 's/^Caused by: //; s/^java\.lang\.module\.//; $p'));" \
      "install an SDK whose name has jdk25, or set TORNADOVM_HOME to one" | tr '\n' ' ' | sed 's/ $//'
  return 1
}
