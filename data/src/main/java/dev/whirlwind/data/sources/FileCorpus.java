package dev.whirlwind.data.sources;

import dev.whirlwind.data.sources.formats.Content;
import dev.whirlwind.data.sources.formats.DamagedRow;
import dev.whirlwind.data.sources.formats.Document;
import dev.whirlwind.data.sources.formats.DocumentReader;
import dev.whirlwind.data.sources.formats.Format;
import dev.whirlwind.data.sources.formats.Formats;
import dev.whirlwind.data.sources.formats.Input;
import dev.whirlwind.data.sources.formats.JsonRows;
import dev.whirlwind.data.sources.formats.Kind;
import dev.whirlwind.data.sources.formats.MissingField;
import dev.whirlwind.data.sources.formats.ReadOptions;
import dev.whirlwind.data.sources.formats.ReadOptions.LineEnds;
import dev.whirlwind.data.sources.formats.ReadOptions.OnBadLine;
import dev.whirlwind.model.Reason;
import dev.whirlwind.model.UserException;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.charset.CharacterCodingException;
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
    /** The standard input. */
    static final Path STDIN = Path.of("-");

    private static final int BUFFER = 1 << 16;
    private static final int TAR_HEADER = 512;
    private static final byte[] ZIP = {'P', 'K'};
    /** That tell of the data beside them. */
    private static final Set<String> SAVED_DATASET = Set.of("state.json", "dataset_info.json", "dataset_dict.json");

    private static final byte[] LFS_POINTER = "version https://git-lfs".getBytes(StandardCharsets.US_ASCII);

    /**
     * A file, or an entry of an archive.
     *
     * @param name within the corpus
     * @param place what errors call it
     * @param given whether the user named it, as opposed to a folder or archive that it is in
     * @param packed whether it is in an archive
     */
    private record Item(String name, String place, boolean given, boolean packed) {
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

    private final ReadOptions options;

    /** The paths by what the names of their documents begin with. */
    private final Map<Path, String> roots = new LinkedHashMap<>();

    private final Set<Path> except = new HashSet<>();

    /** What came out of pipes, which is there only once. */
    private final Map<Path, Content> pipes = new HashMap<>();

    FileCorpus(ReadOptions options, List<Path> given, List<Path> except) {
        this.options = options;
        Map<String, Integer> uses = new HashMap<>();
        List<Path> paths = Patterns.expanded(given);
        for (Path path : paths) {
            requireReadable(path);
            String label = path.equals(STDIN)
                    ? "stdin"
                    : path.toAbsolutePath().normalize().getFileName() + "";
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
        if (path.equals(STDIN)) {
            return;
        }
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

    static boolean isPipe(Path path) {
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
            if (path.equals(STDIN)) {
                file(new Item(prefix + "stdin", "the standard input", true, false), kept(path), null, sink);
                return;
            }
            Item item = new Item(prefix + path.getFileName(), path.toString(), true, false);
            if (!Files.isRegularFile(path)) {
                file(item, kept(path), null, sink);
            } else if (item.isNamed(".zip", ".jar") && startsWith(path, ZIP)) {
                zip(path, item, sink);
            } else {
                file(item, Content.of(path), path, sink);
            }
        });
    }

    private Content kept(Path pipe) {
        return pipes.computeIfAbsent(pipe, _ -> {
            try (InputStream in = pipe.equals(STDIN) ? System.in : Files.newInputStream(pipe)) {
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
            List<Path> children = children(folder);
            boolean dataset = isSavedDataset(folder, children);
            for (Path child : children) {
                Item item = new Item(prefix + child.getFileName(), child.toString(), false, false);
                if (Files.isDirectory(child)) {
                    folder(child, item.name + "/", visited, sink);
                } else if (!Files.isRegularFile(child)) {
                    pass(item, "neither a file nor a folder", sink);
                } else if (item.isNamed(".zip") && startsWith(child, ZIP)) {
                    zip(child, item, sink);
                } else if (!isPartner(child)
                        && !(dataset
                                && SAVED_DATASET.contains(child.getFileName().toString()))) {
                    file(item, Content.of(child), child, sink);
                }
            }
        } catch (IOException e) {
            throw Reading.failure(folder, e);
        }
    }

    /** What datasets.save_to_disk writes of Hugging Face's datasets beside their data. */
    private static boolean isSavedDataset(Path folder, List<Path> children) {
        return Files.exists(folder.resolve("dataset_dict.json"))
                || (Files.exists(folder.resolve("state.json"))
                        && children.stream().anyMatch(child -> child.toString().endsWith(".arrow")));
    }

    /** Whether it is the tokens of an index beside it, with which they are read. */
    private static boolean isPartner(Path file) {
        String name = file.getFileName().toString();
        return name.endsWith(".bin")
                && Files.exists(file.resolveSibling(name.substring(0, name.length() - 4) + ".idx"));
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

    private void zip(Path path, Item archive, Sink sink) {
        try (ZipFile zip = open(path)) {
            sink.found(Kind.ARCHIVE, archive.name);
            long size = Files.size(path);
            Expansion expansion = new Expansion(archive.place, () -> size);
            List<? extends ZipEntry> entries = zip.stream()
                    .filter(entry -> !entry.isDirectory() && !isHidden(entry.getName()))
                    .sorted(Comparator.comparing(ZipEntry::getName))
                    .toList();
            for (ZipEntry entry : entries) {
                file(archive.entry(entry.getName()), () -> expansion.of(zip.getInputStream(entry)), null, sink);
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

    private void tar(Item archive, InputStream in, Sink sink) throws IOException {
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
                    content(archive.entry(name), open(tar), null, null, sink);
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

    /** @param path where it lies as it is; null if it does not */
    private void file(Item item, Content content, Path path, Sink sink) {
        try (InputStream in = content.open()) {
            content(item, in, content, path, sink);
        } catch (IOException e) {
            throw Reading.failure(item.place, e);
        }
    }

    /** @param again the same from its beginning; null where it can be read only once, as in a tar archive */
    private void content(Item item, InputStream raw, Content again, Path path, Sink sink) throws IOException {
        InputStream in = new BufferedInputStream(raw, BUFFER);
        Optional<Compression> compression = Compression.of(peek(in, Compression.LONGEST));
        if (compression.isEmpty()) {
            plain(item, in, again, path, sink);
            return;
        }
        Compression kind = compression.get();
        Content unpacked = again == null ? null : () -> Expansion.unpack(kind, again.open(), item.place);
        plain(item, new BufferedInputStream(Expansion.unpack(kind, in, item.place), BUFFER), unpacked, null, sink);
    }

    private static boolean beginsTar(InputStream in) throws IOException {
        try {
            return TarUtils.verifyCheckSum(Arrays.copyOf(peek(in, TAR_HEADER), TAR_HEADER));
        } catch (IllegalArgumentException e) {
            // The checksum is no number.
            return false;
        }
    }

    private void plain(Item item, InputStream in, Content again, Path path, Sink sink) throws IOException {
        Input file = Input.of(item.name, in, again, path, options);
        if (file.name().endsWith(".tar") && beginsTar(in)) {
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
        Optional<Format> format = Formats.of(file);
        Charset encoding = Transcoded.encoding(peek(in, Transcoded.MARK), options.encoding());
        if (!encoding.equals(StandardCharsets.UTF_8)
                && (format.isEmpty() || format.get().isText())) {
            InputStream utf8 = new BufferedInputStream(Transcoded.utf8(in, encoding), BUFFER);
            Content utf8Again = again == null ? null : () -> Transcoded.utf8(again.open(), encoding);
            file = Input.of(item.name, utf8, utf8Again, null, options);
            try {
                read(item, file, Formats.of(file), sink);
            } catch (CharacterCodingException e) {
                pass(item, "not " + encoding, sink);
            }
        } else {
            read(item, file, format, sink);
        }
    }

    private void read(Item item, Input file, Optional<Format> format, Sink sink) throws IOException {
        Optional<String> packed = packed(file);
        if (packed.isPresent() && (format.isEmpty() || format.get().isText())) {
            pass(item, packed.get(), sink);
        } else if (format.isPresent()) {
            documents(item, file, format.get(), sink);
        } else {
            boolean rows = options.as() == null && JsonRows.isOther(file);
            text(item, file.in(), file.again(), rows ? Kind.OTHER_JSON : Kind.TEXT, sink);
        }
    }

    /** How a file is packed that holds another one still; its lines may be there to be seen. */
    private static Optional<String> packed(Input file) throws IOException {
        byte[] start = peek(file.in(), Compression.LONGEST);
        return startsWith(start, ZIP)
                ? Optional.of("an archive or a document in zip's form: unpack or convert it first")
                : Compression.of(start).map(kind -> "compressed with " + kind.title() + ": unpack it first");
    }

    private void documents(Item item, Input file, Format format, Sink sink) throws IOException {
        try (DocumentReader reader = opened(item, file, format, sink)) {
            if (reader == null) {
                return;
            }
            sink.found(format.kind(), item.name);
            boolean any = false;
            for (Document next = next(item, reader); next != null; next = next(item, reader)) {
                any = true;
                String name = item.name + next.label();
                String place = item.place + next.label();
                switch (next) {
                    case Document.Text text
                    when text.text().isBlank() ->
                        sink.passedOver(new PassedOver(unit(next), name, place, PassedOver.EMPTY));
                    case Document.Text text ->
                        TextReader.cut(
                                normalized(text.text()),
                                TextReader.PIECE,
                                (piece, last) -> sink.text(name, piece, last));
                    case Document.Tokens tokens -> sink.tokens(place, tokens.ids(), tokens.last());
                    case Document.Passed passed ->
                        sink.passedOver(new PassedOver(unit(next), name, place, passed.reason()));
                    case Document.Broken broken
                    when options.badLine() == OnBadLine.SKIP ->
                        sink.passedOver(new PassedOver(unit(next), name, place, broken.reason()));
                    case Document.Broken broken ->
                        throw new UserException(place + ": " + broken.reason() + ": " + broken.advice());
                }
            }
            if (!any) {
                pass(item, PassedOver.EMPTY, sink);
            }
        }
    }

    private static PassedOver.Unit unit(Document document) {
        return document.label().isEmpty() ? PassedOver.Unit.FILE : PassedOver.Unit.ROW;
    }

    /** Null for a table that has not what documents are made of, which is passed over where the user has not asked for it. */
    private DocumentReader opened(Item item, Input file, Format format, Sink sink) throws IOException {
        try {
            return format.open(file);
        } catch (MissingField e) {
            if (item.given || options.selected()) {
                throw new UserException(
                        item.place + ": " + e.getMessage()
                                + ": name what holds the text with --field NAME or --template \"{A} {B}\"",
                        e);
            }
            pass(item, e.getMessage(), sink);
            return null;
        } catch (RuntimeException e) {
            throw damaged(item, e);
        }
    }

    private static Document next(Item item, DocumentReader reader) throws IOException {
        try {
            return reader.next();
        } catch (DamagedRow e) {
            throw new UserException(item.place + e.label() + ": " + e.getMessage(), e);
        } catch (CharacterCodingException e) {
            throw new IOException("not all of it is in one encoding", e);
        } catch (RuntimeException e) {
            throw damaged(item, e);
        }
    }

    /** What a library throws at a file that is damaged in a way that it did not think of. */
    private static RuntimeException damaged(Item item, RuntimeException e) {
        Throwable cause = e;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        if (e instanceof UserException) {
            return e;
        }
        String words = Reason.cited(cause);
        return cause instanceof OutOfMemoryError
                ? new UserException("cannot read " + item.place + ": not enough memory (" + words + ")", e)
                : new UserException("cannot read " + item.place + ": damaged (" + words + "): get it anew", e);
    }

    private String normalized(String text) {
        return options.lineEnds() == LineEnds.LF ? text.replace("\r\n", "\n") : text;
    }

    /** A file is either text to its end or passed over, so all of it is looked at before anything is handed on. */
    private void text(Item item, InputStream in, Content again, Kind kind, Sink sink) throws IOException {
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
            TextReader.Pieces out = lineEnds((piece, last) -> sink.text(item.name, piece, last));
            for (int i = 0; i < pieces.size(); i++) {
                out.take(pieces.get(i), i == pieces.size() - 1);
            }
            if (!small) {
                try (InputStream all = whole.open()) {
                    TextReader.read(all, TextReader.PIECE, out);
                }
            }
        } catch (TextReader.NotText e) {
            pass(item, e.getMessage(), sink);
        }
    }

    /** A CR at the end of a piece waits for what follows. */
    private TextReader.Pieces lineEnds(TextReader.Pieces out) {
        if (options.lineEnds() == LineEnds.KEEP) {
            return out;
        }
        StringBuilder waiting = new StringBuilder();
        return (piece, last) -> {
            String text = waiting + piece;
            waiting.setLength(0);
            if (!last && text.endsWith("\r")) {
                waiting.append('\r');
                text = text.substring(0, text.length() - 1);
            }
            out.take(normalized(text), last);
        };
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
