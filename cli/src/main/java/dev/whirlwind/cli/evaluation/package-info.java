/** Judging models and texts: perplexity, tasks, comparisons, scores. */
package dev.whirlwind.cli.evaluation;
