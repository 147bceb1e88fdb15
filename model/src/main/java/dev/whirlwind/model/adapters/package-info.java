/** Low-rank adapters in the format of PEFT. */
package dev.whirlwind.model.adapters;
