/** Commands that train, and the folder that a run works in. */
package dev.whirlwind.cli.run;
