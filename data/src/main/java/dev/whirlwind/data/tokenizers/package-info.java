/** Tokenizers of model folders: what they read, what their ids mean, and which of them end a text. */
package dev.whirlwind.data.tokenizers;
