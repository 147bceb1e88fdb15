package dev.whirlwind.data.sources;

import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Text from files, folders and zip archives: see {@link Corpus#of}. */
final class FileCorpus implements Corpus {
    private static final String TEXT_FIELD = "text";

    private static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxStringLength(Integer.MAX_VALUE)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private interface Opener {
        InputStream open() throws IOException;
    }

    /** The paths by what the names of their documents begin with. */
    private final Map<Path, String> roots = new LinkedHashMap<>();

    FileCorpus(List<Path> paths) {
        Map<String, Integer> uses = new HashMap<>();
        for (Path path : paths) {
            if (!Files.exists(path)) {
                throw new UserException(path + " does not exist: name text files, folders or zip archives");
            }
            String label = path.toAbsolutePath().normalize().getFileName() + "";
            int use = uses.merge(label, 1, Integer::sum);
            roots.put(path, paths.size() == 1 ? "" : label + (use == 1 ? "/" : "#" + use + "/"));
        }
    }

    @Override
    public String name() {
        return roots.keySet().stream().map(Path::toString).collect(Collectors.joining(", "));
    }

    @Override
    public void read(Sink sink) {
        roots.forEach((path, prefix) -> {
            if (Files.isDirectory(path)) {
                folder(path, prefix, new HashSet<>(), sink);
            } else if (isZip(path)) {
                zip(path, prefix, sink);
            } else {
                file(prefix + path.getFileName(), path, () -> Files.newInputStream(path), sink);
            }
        });
    }

    private static boolean isZip(Path path) {
        String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
        return name.endsWith(".zip") || name.endsWith(".jar");
    }

    /** @param visited real folders read so far, for links that lead back or to the same place */
    private static void folder(Path folder, String prefix, Set<Path> visited, Sink sink) {
        try {
            if (!visited.add(folder.toRealPath())) {
                return;
            }
            for (Path child : children(folder)) {
                String name = child.getFileName().toString();
                if (Files.isDirectory(child)) {
                    folder(child, prefix + name + "/", visited, sink);
                } else if (Files.isRegularFile(child)) {
                    file(prefix + name, child, () -> Files.newInputStream(child), sink);
                } else {
                    sink.skipped(child.toString(), "neither a file nor a folder");
                }
            }
        } catch (IOException e) {
            throw Reading.failure(folder, e);
        }
    }

    private static List<Path> children(Path folder) throws IOException {
        try (Stream<Path> children = Files.list(folder)) {
            return children.filter(child -> !child.getFileName().toString().startsWith("."))
                    .sorted(Comparator.comparing(child -> child.getFileName().toString()))
                    .toList();
        }
    }

    private static void zip(Path path, String prefix, Sink sink) {
        try (ZipFile zip = new ZipFile(path.toFile())) {
            List<? extends ZipEntry> entries = zip.stream()
                    .filter(entry -> !entry.isDirectory() && !isHidden(entry.getName()))
                    .sorted(Comparator.comparing(ZipEntry::getName))
                    .toList();
            for (ZipEntry entry : entries) {
                file(prefix + entry.getName(), path + "!" + entry.getName(), () -> zip.getInputStream(entry), sink);
            }
        } catch (IOException e) {
            throw Reading.failure(path, e);
        }
    }

    private static boolean isHidden(String entry) {
        return entry.startsWith(".") || entry.contains("/.") || entry.startsWith("__MACOSX/");
    }

    /** @param place what errors call the file */
    private static void file(String name, Object place, Opener opener, Sink sink) {
        String plain = name.toLowerCase(Locale.ROOT);
        Opener content = opener;
        if (plain.endsWith(".gz")) {
            plain = plain.substring(0, plain.length() - ".gz".length());
            content = () -> new GZIPInputStream(opener.open());
        }
        try {
            if (isBlank(content)) {
                sink.skipped(place.toString(), "empty");
            } else if (plain.endsWith(".jsonl")) {
                jsonLines(name, place, content, sink);
            } else {
                try (InputStream in = content.open()) {
                    TextReader.read(in, TextReader.PIECE, (piece, last) -> sink.text(name, piece, last));
                }
            }
        } catch (TextReader.NotText e) {
            sink.skipped(place.toString(), e.getMessage());
        } catch (IOException e) {
            throw Reading.failure(place, e);
        }
    }

    /** Reads the whole file once before anything of it is handed on: a file is either text to its end or skipped. */
    private static boolean isBlank(Opener content) throws IOException, TextReader.NotText {
        boolean[] blank = {true};
        try (InputStream in = content.open()) {
            TextReader.read(in, TextReader.PIECE, (piece, _) -> blank[0] &= piece.isBlank());
        }
        return blank[0];
    }

    private static void jsonLines(String name, Object place, Opener content, Sink sink) throws IOException {
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(content.open(), StandardCharsets.UTF_8))) {
            long number = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                number++;
                String json = number == 1 && line.startsWith("\uFEFF") ? line.substring(1) : line;
                if (json.isBlank()) {
                    continue;
                }
                String text = Text.wellFormed(text(json, place + ":" + number));
                if (text.isBlank()) {
                    sink.skipped(place + ":" + number, "empty");
                } else {
                    String document = name + ":" + number;
                    TextReader.cut(text, TextReader.PIECE, (piece, last) -> sink.text(document, piece, last));
                }
            }
        }
    }

    private static String text(String json, String place) {
        try {
            JsonNode text = JSON.readTree(json).path(TEXT_FIELD);
            if (!text.isString()) {
                throw new UserException(
                        place + ": no string field \"" + TEXT_FIELD + "\": every line must be an object that has one");
            }
            return text.stringValue();
        } catch (JacksonException e) {
            throw new UserException(
                    place + ": broken JSON at column " + e.getLocation().getColumnNr() + ": " + Reason.withoutPlace(e)
                            + ": mend or remove the line",
                    e);
        }
    }
}
