/** Commands that measure or compare engines. */
package dev.whirlwind.cli.bench;
