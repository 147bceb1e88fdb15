#!/bin/sh
# Finds a TornadoVM SDK and prints the JVM flags that put it on the module path, one a line (fit for a java @argfile).
# Judges an SDK by what lies in it, never by its name: 5.x (JVMCI, native libraries of its own; made for one JDK) and from
# 6.0 on (a compiler and JVMCI of its own, no native libraries; for every JDK from 22 on). Sourced; needs JAVA_HOME.

# Prints the SDK's folder; returns 1 where there is none. One that was set is taken for meant, right or wrong.
whirlwind_tornado_home() {
  whirlwind_current=${SDKMAN_DIR:-$HOME/.sdkman}/candidates/tornadovm/current
  if [ -n "${TORNADOVM_HOME:-}" ]; then
    printf '%s\n' "$TORNADOVM_HOME"
  elif [ -n "${TORNADO_SDK:-}" ]; then
    printf '%s\n' "$TORNADO_SDK"
  elif [ -d "$whirlwind_current" ]; then
    printf '%s\n' "$whirlwind_current"
  else
    return 1
  fi
}

# Prints the flags; or returns 1 and prints, in one line, why there are none (nothing where there is no SDK).
whirlwind_tornado_flags() {
  whirlwind_sdk=$(whirlwind_tornado_home) || return 1
  whirlwind_jars=$whirlwind_sdk/share/java/tornado
  if [ ! -d "$whirlwind_jars" ]; then
    whirlwind_from=TORNADOVM_HOME
    [ -n "${TORNADOVM_HOME:-}" ] || whirlwind_from=TORNADO_SDK
    [ -n "${TORNADOVM_HOME:-}${TORNADO_SDK:-}" ] || whirlwind_from="SDKMAN's tornadovm"
    echo "$whirlwind_from is $whirlwind_sdk, which is no TornadoVM SDK (it has no share/java/tornado);" \
        "set TORNADOVM_HOME to the folder of one, or unset it"
    return 1
  fi
  for whirlwind_part in share/java/tornado/tornado-api-*.jar share/java/tornado/tornado-runtime-*.jar \
      share/java/tornado/tornado-drivers-common-*.jar etc/exportLists/common-exports; do
    if ! whirlwind_has "$whirlwind_sdk"/$whirlwind_part; then
      echo "the TornadoVM SDK in $whirlwind_sdk is not whole ($whirlwind_part is missing); install it again"
      return 1
    fi
  done
  whirlwind_floor=$(sed -n 's/^tornado\.jdk\.floor=//p' "$whirlwind_sdk/etc/tornado.jdk" 2>/dev/null) || whirlwind_floor=
  if [ "${whirlwind_floor:-0}" -gt 25 ]; then
    echo "the TornadoVM SDK in $whirlwind_sdk needs JDK $whirlwind_floor, but Whirlwind runs on 25;" \
        "install another, or set TORNADOVM_HOME to one"
    return 1
  fi
  whirlwind_backends=
  whirlwind_left_out=
  for whirlwind_backend in opencl cuda metal; do
    if whirlwind_has "$whirlwind_jars/tornado-drivers-$whirlwind_backend"-*.jar; then
      whirlwind_lacks=$(whirlwind_tornado_lacks "$whirlwind_backend")
      if [ -z "$whirlwind_lacks" ]; then
        whirlwind_backends="$whirlwind_backends $whirlwind_backend"
      else
        whirlwind_left_out="$whirlwind_left_out${whirlwind_left_out:+; }back end $whirlwind_backend: $whirlwind_lacks"
      fi
    fi
  done
  if [ -z "$whirlwind_backends" ]; then
    echo "the TornadoVM SDK in $whirlwind_sdk has no back end that can start" \
        "(${whirlwind_left_out:-no jar of opencl, cuda or metal}); see docs/tornadovm.md for which SDK and driver to install"
    return 1
  fi
  whirlwind_tornado_list
}

# Whether a pattern matched a file.
whirlwind_has() { [ -e "$1" ]; }

# Prints which libraries a back end lacks, so that it cannot start. TornadoVM gives up all back ends when one fails.
whirlwind_tornado_lacks() {
  case $(uname) in Darwin) whirlwind_library=dylib ;; *) whirlwind_library=so ;; esac
  whirlwind_library=lib/libtornado-$1.$whirlwind_library
  if [ -e "$whirlwind_sdk/$whirlwind_library" ]; then
    ldd "$whirlwind_sdk/$whirlwind_library" 2>/dev/null | sed -n 's/^[[:space:]]*\(.*\) => not found.*/\1/p' | sort -u |
      tr '\n' ' ' | sed 's/ $/ not found (the driver, or what it was built with)/'
  elif ! whirlwind_has "$whirlwind_sdk"/share/java/jvmci/*.jar; then
    echo "$whirlwind_library is missing from the SDK"
  else
    # Java itself looks for the driver; where nobody can say whether it is there, it may try.
    case $1 in opencl) whirlwind_library=libOpenCL.so.1 ;; cuda) whirlwind_library=libcuda.so.1 ;; *) return 0 ;; esac
    [ "$(uname)" = Linux ] && whirlwind_known=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null) || return 0
    case $whirlwind_known in *"$whirlwind_library "*) return 0 ;; esac
    set -f
    whirlwind_ifs=$IFS
    IFS=:
    for whirlwind_folder in ${LD_LIBRARY_PATH:-}; do
      if [ -e "$whirlwind_folder/$whirlwind_library" ]; then whirlwind_library=; fi
    done
    IFS=$whirlwind_ifs
    set +f
    [ -z "$whirlwind_library" ] || echo "$whirlwind_library not found (the driver)"
  fi
}

whirlwind_tornado_list() {
  whirlwind_api=uk.ac.manchester.tornado
  # A module that provides a service is started wherever it lies on the module path: only what is wanted goes there.
  whirlwind_path=
  for whirlwind_jar in "$whirlwind_jars"/*.jar; do
    whirlwind_name=${whirlwind_jar##*/}
    case $whirlwind_name in
      tornado-drivers-common-*) ;;
      tornado-drivers-*)
        whirlwind_name=${whirlwind_name#tornado-drivers-}
        case " $whirlwind_backends " in *" ${whirlwind_name%%-*} "*) ;; *) continue ;; esac ;;
      tornado-cublas-* | tornado-cudnn-* | tornado-cufft-* | tornado-cusparse-* | tornado-cutlass-*)
        case " $whirlwind_backends " in *" cuda "*) ;; *) continue ;; esac ;;
    esac
    whirlwind_path=$whirlwind_path${whirlwind_path:+:}$whirlwind_jar
  done
  whirlwind_modules=tornado.runtime,tornado.annotation,tornado.drivers.common
  if whirlwind_has "$whirlwind_sdk"/share/java/*/tornado-graal-*.jar; then
    whirlwind_modules=$whirlwind_modules,tornado.graal
  fi
  whirlwind_native=tornado.runtime
  for whirlwind_backend in $whirlwind_backends; do
    whirlwind_modules=$whirlwind_modules,tornado.drivers.$whirlwind_backend
    whirlwind_native=$whirlwind_native,tornado.drivers.$whirlwind_backend
  done
  if grep -q '^MODULES=.*jdk\.internal\.vm\.ci' "$JAVA_HOME/release" 2>/dev/null; then
    printf '%s\n' -XX:+UnlockExperimentalVMOptions -XX:+EnableJVMCI
    # The SDK's own classes in place of this JDK's.
    for whirlwind_jar in "$whirlwind_sdk"/share/java/jvmci/jvmci-*.jar; do
      if [ -e "$whirlwind_jar" ]; then
        printf '%s\n' -Djdk.internal.vm.ci.enabled=true "--patch-module=jdk.internal.vm.ci=$whirlwind_jar"
      fi
    done
  elif [ -d "$whirlwind_sdk/share/java/jvmci" ]; then
    whirlwind_path=$whirlwind_path:$whirlwind_sdk/share/java/jvmci
    printf '%s\n' -Djdk.internal.vm.ci.enabled=true
    for whirlwind_package in misc vm vm.annotation reflect; do
      printf '%s\n' "--add-exports=java.base/jdk.internal.$whirlwind_package=jdk.internal.vm.ci"
    done
  fi
  # A kernel's text follows the order of identity hashes: counted ones are the same each time, and so is the text, which
  # drivers then find in their caches.
  printf '%s\n' -XX:+UnlockExperimentalVMOptions -XX:hashCode=3
  printf '%s\n' "-Djava.library.path=$whirlwind_sdk/lib" "--module-path=$whirlwind_path"
  if [ -d "$whirlwind_sdk/share/java/graalJars" ]; then
    printf '%s\n' "--upgrade-module-path=$whirlwind_sdk/share/java/graalJars"
  fi
  printf '%s\n' \
      -Dtornado.load.api.implementation=$whirlwind_api.runtime.tasks.TornadoTaskGraph \
      -Dtornado.load.runtime.implementation=$whirlwind_api.runtime.TornadoCoreRuntime \
      -Dtornado.load.tornado.implementation=$whirlwind_api.runtime.common.Tornado \
      -Dtornado.load.annotation.implementation=$whirlwind_api.annotation.ASMClassVisitor \
      -Dtornado.load.annotation.parallel=$whirlwind_api.api.annotations.Parallel
  for whirlwind_list in common $whirlwind_backends; do
    sed -e '/^[[:space:]]*#/d; /^[[:space:]]*$/d; s/[[:space:]]*$//; s/^[[:space:]]*\(--[a-z-]*\)[[:space:]][[:space:]]*/\1=/' \
        "$whirlwind_sdk/etc/exportLists/$whirlwind_list-exports"
  done
  printf '%s\n' "--add-modules=$whirlwind_modules" "--enable-native-access=$whirlwind_native"
  # A kernel that cannot run on the device is an error, never slow Java in silence; and room for large graphs.
  printf '%s\n' -Dtornado.recover.bailout=False -Dtornado.tvm.maxbytecodesize=1048576
  # CUDA would lock all pages of the host's side of every array, most of which nobody looks at, and cannot lock those of
  # several arrays in one piece of memory (HostMemory).
  printf '%s\n' -Dtornado.cuda.host.pinning=false
  if [ -n "$whirlwind_left_out" ]; then printf '%s\n' "-Dwhirlwind.tornado.left.out=$whirlwind_left_out"; fi
}

# Says why Java does not start with an SDK's flags, "$@", and returns 1; else says nothing. Java reads all modules at its
# start, and ends there with an SDK made for another version.
whirlwind_tornado_misfit() {
  whirlwind_said=$("$JAVA_HOME/bin/java" "$@" -version 2>&1) && return 0
  printf '%s\n' "the TornadoVM SDK in $(whirlwind_tornado_home) does not fit the JDK in $JAVA_HOME" \
      "($(printf '%s\n' "$whirlwind_said" | sed -n 's/^Caused by: //; s/^java\.lang\.module\.//; $p'));" \
      "install one for JDK 25 (jdk22plus or jdk25 in its version), or set TORNADOVM_HOME to one" | tr '\n' ' ' | sed 's/ $//'
  return 1
}
