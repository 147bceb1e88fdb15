/** Whether the machine has the memory that a model needs, before any of it is taken. */
package dev.whirlwind.training.memory;
