/** What several commands need: engines, models, texts, memory. */
package dev.whirlwind.cli.shared;
