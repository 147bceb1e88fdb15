/** {@code tokenizer train}, {@code inspect} and {@code extend}. */
package dev.whirlwind.cli.tokenizer;
