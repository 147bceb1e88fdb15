package dev.whirlwind.data.sources;

import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;

/** Patterns of names ({@code data/*.jsonl}, {@code texts/**}{@code /*.md}), where no shell has seen to them. */
final class Patterns {
    private static final Pattern SIGNS = Pattern.compile("[*?\\[{]");

    private Patterns() {}

    /** The paths, with those that a pattern stands for in place of it, in the order of their names. */
    static List<Path> expanded(List<Path> paths) {
        List<Path> expanded = new ArrayList<>();
        for (Path path : paths) {
            if (Files.exists(path) || !SIGNS.matcher(path.toString()).find()) {
                expanded.add(path);
            } else {
                expanded.addAll(matching(path));
            }
        }
        return expanded;
    }

    private static List<Path> matching(Path pattern) {
        Path folder = pattern.getRoot() == null ? Path.of("") : pattern.getRoot();
        int fixed = 0;
        while (fixed < pattern.getNameCount()
                && !SIGNS.matcher(pattern.getName(fixed).toString()).find()) {
            folder = folder.resolve(pattern.getName(fixed++));
        }
        boolean deep = pattern.toString().contains("**");
        try {
            PathMatcher matcher =
                    pattern.getFileSystem().getPathMatcher("glob:" + pattern.subpath(fixed, pattern.getNameCount()));
            Path from = folder;
            try (Stream<Path> below = Files.isDirectory(folder.toAbsolutePath())
                    ? Files.walk(folder, deep ? Integer.MAX_VALUE : pattern.getNameCount() - fixed)
                    : Stream.<Path>empty()) {
                List<Path> matching = below.filter(path -> !path.equals(from))
                        .filter(path -> matcher.matches(from.relativize(path)))
                        .filter(path -> !isHidden(from.relativize(path)))
                        // What ** finds is files: the folders that they are in would have them twice.
                        .filter(path -> !deep || Files.isRegularFile(path))
                        .sorted()
                        .toList();
                if (matching.isEmpty()) {
                    throw new UserException(
                            pattern + " does not exist, nor does any file whose name is of that pattern:"
                                    + " name text files, folders or archives");
                }
                return matching;
            }
        } catch (PatternSyntaxException | InvalidPathException e) {
            throw new UserException(pattern + " does not exist: name text files, folders or archives", e);
        } catch (IOException e) {
            throw Reading.failure(folder, e);
        }
    }

    private static boolean isHidden(Path path) {
        for (Path name : path) {
            if (name.toString().startsWith(".")) {
                return true;
            }
        }
        return false;
    }
}
