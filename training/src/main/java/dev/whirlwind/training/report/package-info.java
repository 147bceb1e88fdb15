/** Pages that show runs: what a browser needs to see how one goes, or how several went, in one file. */
package dev.whirlwind.training.report;
