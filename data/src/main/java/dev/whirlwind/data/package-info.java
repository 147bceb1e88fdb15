/**
 * Text to tokens: corpora, tokenizers, token shards, and the order in which a training run reads them. Everything is a
 * pure function of its arguments (files, seed, position), so a resumed run needs no replaying.
 */
package dev.whirlwind.data;
