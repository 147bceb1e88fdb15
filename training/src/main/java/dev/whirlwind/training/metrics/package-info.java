/** What happens in a run, as it is told and as it is kept in {@code metrics.jsonl}. */
package dev.whirlwind.training.metrics;
