/** What files hold: each format is one class that gives a file's documents one after the other. */
package dev.whirlwind.data.sources.formats;
