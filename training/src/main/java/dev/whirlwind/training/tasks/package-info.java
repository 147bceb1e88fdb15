/** Tasks that a model is judged by: multiple choice, cloze, classification, generation; and the files that they come in. */
package dev.whirlwind.training.tasks;
