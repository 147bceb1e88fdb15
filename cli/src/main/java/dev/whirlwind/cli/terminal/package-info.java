/** What a terminal is shown, and what its signals do. */
package dev.whirlwind.cli.terminal;
