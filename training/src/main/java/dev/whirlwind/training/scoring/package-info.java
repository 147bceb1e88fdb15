/** Metrics that compare texts with references: BLEU, chrF, ROUGE, and SQuAD's F1 and exact match. */
package dev.whirlwind.training.scoring;
