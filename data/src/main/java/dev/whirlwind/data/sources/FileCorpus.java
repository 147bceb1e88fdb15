package dev.whirlwind.data.sources;

import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.archivers.tar.TarUtils;

/** Text from files, folders, archives and pipes: see {@link Corpus#of}. Nothing is ever unpacked to where it says. */
final class FileCorpus implements Corpus {
    private static final int BUFFER = 1 << 16;
    private static final int TAR_HEADER = 512;
    private static final byte[] GZIP = {0x1F, (byte) 0x8B};
    private static final byte[] ZIP = {'P', 'K'};
    private static final byte[] LFS_POINTER = "version https://git-lfs".getBytes(StandardCharsets.US_ASCII);

    private static final int LONGEST_MARK = 5;

    /** What begins in a way that UTF-8 cannot, or is no text for the rest, in words that help. */
    private static final Map<String, byte[]> UNREADABLE = Map.of(
            "UTF-16, not UTF-8: convert it", new byte[] {(byte) 0xFF, (byte) 0xFE},
            "big-endian UTF-16, not UTF-8: convert it", new byte[] {(byte) 0xFE, (byte) 0xFF},
            "compressed with gzip: unpack it first", GZIP,
            "compressed with zstd: unpack it first", new byte[] {0x28, (byte) 0xB5, 0x2F, (byte) 0xFD},
            "compressed with xz: unpack it first", new byte[] {(byte) 0xFD, '7', 'z', 'X', 'Z'},
            "compressed with bzip2: unpack it first", new byte[] {'B', 'Z', 'h'},
            "an archive or a document in zip's form: unpack or convert it first", new byte[] {'P', 'K', 3, 4},
            "a Parquet file: write its rows as JSON Lines first", new byte[] {'P', 'A', 'R', '1'});

    /**
     * A file, or an entry of an archive.
     *
     * @param name within the corpus
     * @param place what errors call it
     * @param given whether the user named it, as opposed to a folder or archive that it is in
     * @param packed whether it is in an archive
     */
    private record Item(String name, String place, boolean given, boolean packed) {
        /** Its name in lower case, as if it were not gzipped. */
        String plainName() {
            return name.toLowerCase(Locale.ROOT).replaceFirst("\\.tgz$", ".tar").replaceFirst("\\.gz$", "");
        }

        boolean isNamed(String... endings) {
            String lower = name.toLowerCase(Locale.ROOT);
            return Arrays.stream(endings).anyMatch(lower::endsWith);
        }

        /** An archive that was named itself is read like a folder, so without its name. */
        Item entry(String inside) {
            String label = Reason.oneLine(inside);
            String prefix = given ? name.substring(0, name.lastIndexOf('/') + 1) : name + "!";
            return new Item(prefix + label, place + "!" + label, false, true);
        }
    }

    /** The paths by what the names of their documents begin with. */
    private final Map<Path, String> roots = new LinkedHashMap<>();

    private final Set<Path> except = new HashSet<>();

    /** What came out of pipes, which is there only once. */
    private final Map<Path, Content> pipes = new HashMap<>();

    FileCorpus(List<Path> paths, List<Path> except) {
        Map<String, Integer> uses = new HashMap<>();
        for (Path path : paths) {
            requireReadable(path);
            String label = path.toAbsolutePath().normalize().getFileName() + "";
            int use = uses.merge(label, 1, Integer::sum);
            roots.put(path, paths.size() == 1 ? "" : label + (use == 1 ? "/" : "#" + use + "/"));
        }
        for (Path path : except) {
            try {
                this.except.add(Files.exists(path) ? path.toRealPath() : path.toAbsolutePath());
            } catch (IOException e) {
                throw Reading.failure(path, e);
            }
        }
    }

    private static void requireReadable(Path path) {
        if (!Files.exists(path)) {
            throw new UserException(path + " does not exist: name text files, folders or archives"
                    + (path.toString().indexOf('\uFFFD') < 0
                            ? ""
                            : " (its name, as it came here, has bytes that are not UTF-8: rename it, or name the folder"
                                    + " that it is in)"));
        }
        String own = ours(path);
        if (own != null) {
            throw new UserException(
                    path + " is " + own + " and holds no texts: name the texts themselves (prepared data is"
                            + " read by train and eval, one folder alone)");
        }
        if (!Files.isDirectory(path) && !Files.isRegularFile(path) && !isPipe(path)) {
            throw new UserException(
                    path + " is a device or a terminal, which may never end: name text files, folders or archives");
        }
    }

    private static boolean isPipe(Path path) {
        try {
            // S_IFMT and S_IFIFO of <sys/stat.h>.
            return ((int) Files.getAttribute(path, "unix:mode") & 0170000) == 0010000;
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException _) {
            return false;
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
                return;
            }
            Item item = new Item(prefix + path.getFileName(), path.toString(), true, false);
            if (!Files.isRegularFile(path)) {
                file(item, kept(path), sink);
            } else if (item.isNamed(".zip", ".jar") && startsWith(path, ZIP)) {
                zip(path, item, sink);
            } else {
                file(item, () -> Files.newInputStream(path), sink);
            }
        });
    }

    private Content kept(Path pipe) {
        return pipes.computeIfAbsent(pipe, _ -> {
            try (InputStream in = Files.newInputStream(pipe)) {
                return Content.kept(in);
            } catch (IOException e) {
                throw Reading.failure(pipe, e);
            }
        });
    }

    // ---------------------------------------------------------------------------------------------- folders

    /** @param visited real folders read so far, for links that lead back or to the same place */
    private void folder(Path folder, String prefix, Set<Path> visited, Sink sink) {
        try {
            Path real = folder.toRealPath();
            String own = except.contains(real) ? "which this run writes to" : ours(folder);
            if (own != null) {
                String name = folder.getFileName() + "";
                sink.passedOver(new PassedOver(PassedOver.Unit.FOLDER, name, folder.toString(), own));
                return;
            }
            if (!visited.add(real)) {
                return;
            }
            for (Path child : children(folder)) {
                Item item = new Item(prefix + child.getFileName(), child.toString(), false, false);
                if (Files.isDirectory(child)) {
                    folder(child, item.name + "/", visited, sink);
                } else if (!Files.isRegularFile(child)) {
                    pass(item, "neither a file nor a folder", sink);
                } else if (item.isNamed(".zip") && startsWith(child, ZIP)) {
                    zip(child, item, sink);
                } else {
                    file(item, () -> Files.newInputStream(child), sink);
                }
            }
        } catch (IOException e) {
            throw Reading.failure(folder, e);
        }
    }

    /** What this program keeps in a folder; null for none of its own. */
    private static String ours(Path folder) {
        if (Files.exists(folder.resolve("dataset.json"))
                && Stream.of("train", "valid").anyMatch(s -> Files.exists(folder.resolve(s + "-00000.tokens")))) {
            return "prepared data";
        }
        boolean run = Stream.of("config.yaml", "metrics.jsonl", "checkpoints")
                .allMatch(name -> Files.exists(folder.resolve(name)));
        return run ? "a run" : null;
    }

    private static List<Path> children(Path folder) throws IOException {
        try (Stream<Path> children = Files.list(folder)) {
            // Names that are not UTF-8 may look the same and are not.
            return children.filter(child -> !child.getFileName().toString().startsWith("."))
                    .sorted(Comparator.comparing(
                                    (Path child) -> child.getFileName().toString())
                            .thenComparing(Comparator.naturalOrder()))
                    .toList();
        }
    }

    private static boolean startsWith(Path file, byte[] magic) {
        try (InputStream in = Files.newInputStream(file)) {
            return startsWith(in.readNBytes(magic.length), magic);
        } catch (IOException e) {
            throw Reading.failure(file, e);
        }
    }

    // ---------------------------------------------------------------------------------------------- archives

    private static void zip(Path path, Item archive, Sink sink) {
        try (ZipFile zip = open(path)) {
            sink.found(Kind.ARCHIVE, archive.name);
            long size = Files.size(path);
            Expansion expansion = new Expansion(archive.place, () -> size);
            List<? extends ZipEntry> entries = zip.stream()
                    .filter(entry -> !entry.isDirectory() && !isHidden(entry.getName()))
                    .sorted(Comparator.comparing(ZipEntry::getName))
                    .toList();
            for (ZipEntry entry : entries) {
                file(archive.entry(entry.getName()), () -> expansion.of(zip.getInputStream(entry)), sink);
            }
        } catch (IOException e) {
            throw Reading.failure(path, e);
        }
    }

    /** Names are read as UTF-8, or else as those bytes of old systems that they are: they only label documents. */
    private static ZipFile open(Path path) throws IOException {
        try {
            return new ZipFile(path.toFile());
        } catch (ZipException e) {
            if (String.valueOf(e.getMessage()).contains("bad entry name")) {
                return new ZipFile(path.toFile(), Charset.forName("IBM437"));
            }
            throw e;
        }
    }

    private static void tar(Item archive, InputStream in, Sink sink) throws IOException {
        sink.found(Kind.ARCHIVE, archive.name);
        try (TarArchiveInputStream tar = new TarArchiveInputStream(in, StandardCharsets.UTF_8.name())) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                String name = entry.getName().replaceFirst("^(\\./)+", "");
                // Neither folders nor links, devices and pipes, whose content, if any, is elsewhere.
                boolean file = switch (entry.getLinkFlag()) {
                    case TarConstants.LF_NORMAL, TarConstants.LF_OLDNORM, TarConstants.LF_CONTIG -> true;
                    default -> false;
                };
                if (file && !name.endsWith("/") && !isHidden(name)) {
                    content(archive.entry(name), open(tar), null, sink);
                }
            }
        }
    }

    /** The same stream, which stays open for the next entry. */
    private static InputStream open(TarArchiveInputStream tar) {
        return new FilterInputStream(tar) {
            @Override
            public void close() {}
        };
    }

    private static boolean isHidden(String entry) {
        return entry.startsWith("__MACOSX/")
                || Arrays.stream(entry.split("/", -1))
                        .anyMatch(part -> part.startsWith(".") && !part.matches("\\.\\.?"));
    }

    // ---------------------------------------------------------------------------------------------- files

    private static void file(Item item, Content content, Sink sink) {
        try (InputStream in = content.open()) {
            content(item, in, content, sink);
        } catch (IOException e) {
            throw Reading.failure(item.place, e);
        }
    }

    /** @param again the same from its beginning; null where it can be read only once, as in a tar archive */
    private static void content(Item item, InputStream raw, Content again, Sink sink) throws IOException {
        InputStream in = new BufferedInputStream(raw, BUFFER);
        if (startsWith(in, GZIP) && (item.given || item.isNamed(".gz", ".tgz"))) {
            Content unpacked = again == null ? null : () -> Expansion.gunzip(again.open(), item.place);
            plain(item, new BufferedInputStream(Expansion.gunzip(in, item.place), BUFFER), unpacked, sink);
        } else {
            plain(item, in, again, sink);
        }
    }

    private static boolean beginsTar(InputStream in) throws IOException {
        try {
            return TarUtils.verifyCheckSum(Arrays.copyOf(peek(in, TAR_HEADER), TAR_HEADER));
        } catch (IllegalArgumentException e) {
            // The checksum is no number.
            return false;
        }
    }

    private static void plain(Item item, InputStream in, Content again, Sink sink) throws IOException {
        String name = item.plainName();
        if (name.endsWith(".tar") && beginsTar(in)) {
            if (item.packed) {
                pass(item, "an archive inside an archive: unpack it first", sink);
            } else {
                tar(item, in, sink);
            }
            return;
        }
        if (startsWith(in, LFS_POINTER)) {
            pass(item, "a Git LFS pointer, not the file itself: run 'git lfs pull' in its folder", sink);
            return;
        }
        Rows.Look look = Rows.recognise(in);
        boolean namedRows = name.endsWith(".jsonl") || name.endsWith(".ndjson") || name.endsWith(".jsonlines");
        if (look.form == null && !namedRows) {
            text(item, in, again, look == Rows.Look.OTHER_JSON ? Kind.OTHER_JSON : Kind.TEXT, sink);
            return;
        }
        Optional<String> unreadable = unreadable(peek(in, LONGEST_MARK));
        if (unreadable.isPresent()) {
            pass(item, unreadable.get(), sink);
            return;
        }
        sink.found(Kind.ROWS, item.name);
        if (!Rows.read(in, look.form == null ? Rows.Form.LINES : look.form, item.name, item.place, sink)) {
            pass(item, PassedOver.EMPTY, sink);
        }
    }

    /** A file is either text to its end or passed over, so all of it is looked at before anything is handed on. */
    private static void text(Item item, InputStream in, Content again, Kind kind, Sink sink) throws IOException {
        byte[] start = in.readNBytes(Content.IN_MEMORY);
        Content whole;
        if (start.length < Content.IN_MEMORY) {
            whole = () -> new ByteArrayInputStream(start);
        } else if (again != null) {
            whole = again;
        } else {
            whole = Content.kept(new SequenceInputStream(new ByteArrayInputStream(start), in));
        }
        try {
            boolean[] blank = {true};
            // A small text is decoded once.
            boolean small = start.length < Content.IN_MEMORY;
            List<String> pieces = new ArrayList<>();
            try (InputStream all = whole.open()) {
                TextReader.read(all, TextReader.PIECE, (piece, _) -> {
                    blank[0] &= piece.isBlank();
                    if (small) {
                        pieces.add(piece);
                    }
                });
            }
            if (blank[0]) {
                pass(item, PassedOver.EMPTY, sink);
                return;
            }
            sink.found(kind, item.name);
            for (int i = 0; i < pieces.size(); i++) {
                sink.text(item.name, pieces.get(i), i == pieces.size() - 1);
            }
            if (!small) {
                try (InputStream all = whole.open()) {
                    TextReader.read(all, TextReader.PIECE, (piece, last) -> sink.text(item.name, piece, last));
                }
            }
        } catch (TextReader.NotText e) {
            pass(item, unreadable(start).orElse(e.getMessage()), sink);
        }
    }

    /** What a file is that begins like this and holds no text, if it is known. */
    private static Optional<String> unreadable(byte[] start) {
        return UNREADABLE.entrySet().stream()
                .filter(known -> startsWith(start, known.getValue()))
                .map(Map.Entry::getKey)
                .findFirst();
    }

    private static void pass(Item item, String reason, Sink sink) {
        sink.passedOver(new PassedOver(PassedOver.Unit.FILE, item.name, item.place, reason));
    }

    private static boolean startsWith(InputStream in, byte[] magic) throws IOException {
        return startsWith(peek(in, magic.length), magic);
    }

    private static boolean startsWith(byte[] bytes, byte[] magic) {
        return bytes.length >= magic.length && Arrays.equals(bytes, 0, magic.length, magic, 0, magic.length);
    }

    private static byte[] peek(InputStream in, int n) throws IOException {
        in.mark(n);
        byte[] bytes = in.readNBytes(n);
        in.reset();
        return bytes;
    }
}
