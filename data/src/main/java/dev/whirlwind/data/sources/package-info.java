/** What text there is: files, folders, archives and rows of JSON, read as documents. */
package dev.whirlwind.data.sources;
