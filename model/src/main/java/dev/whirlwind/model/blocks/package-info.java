/** Numbers that share scales by blocks. */
package dev.whirlwind.model.blocks;
