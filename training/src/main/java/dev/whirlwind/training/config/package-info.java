/** The options of a run. */
package dev.whirlwind.training.config;
