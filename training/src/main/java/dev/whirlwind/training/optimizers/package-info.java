/** How a step changes the weights: learning rates, optimizers, and steps that are better left out. */
package dev.whirlwind.training.optimizers;
