# Sourced by ./mvnw and ./whirlwind: exports JAVA_HOME as a JDK 25, found where Linux and macOS keep JDKs.
# An explicit JAVA_HOME wins when it is new enough; nothing is changed when none is found.

whirlwind_is_jdk25() {
  [ -x "$1/bin/javac" ] && [ -r "$1/release" ] && grep -q '^JAVA_VERSION="25[."]' "$1/release"
}

whirlwind_find_jdk() {
  if [ -n "${JAVA_HOME:-}" ] && whirlwind_is_jdk25 "$JAVA_HOME"; then return 0; fi
  whirlwind_javac=$(command -v javac 2>/dev/null) || whirlwind_javac=
  [ -n "$whirlwind_javac" ] && whirlwind_javac=$(readlink -f "$whirlwind_javac" 2>/dev/null || echo "$whirlwind_javac")
  for whirlwind_jdk in "${whirlwind_javac%/bin/javac}" \
      "${SDKMAN_DIR:-$HOME/.sdkman}"/candidates/java/current "${SDKMAN_DIR:-$HOME/.sdkman}"/candidates/java/25* \
      /usr/lib/jvm/*25* /usr/lib/jvm/* /usr/java/* /opt/*jdk*25* /opt/java/* "$HOME"/.jdks/* \
      /Library/Java/JavaVirtualMachines/*/Contents/Home "$HOME"/Library/Java/JavaVirtualMachines/*/Contents/Home \
      /opt/homebrew/opt/openjdk@25/libexec/openjdk.jdk/Contents/Home; do
    if [ -n "$whirlwind_jdk" ] && whirlwind_is_jdk25 "$whirlwind_jdk"; then
      JAVA_HOME=$whirlwind_jdk
      export JAVA_HOME
      return 0
    fi
  done
  return 1
}

whirlwind_find_jdk || :
