/** How well a model predicts text, and whether one does better than another. */
package dev.whirlwind.training.evaluation;
