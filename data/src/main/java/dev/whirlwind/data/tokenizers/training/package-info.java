/** Tokenizers that are learnt from text: byte-level BPE. */
package dev.whirlwind.data.tokenizers.training;
