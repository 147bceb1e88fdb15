/** What is kept of a teacher: its likeliest tokens at every place of a text. */
package dev.whirlwind.training.distillation;
