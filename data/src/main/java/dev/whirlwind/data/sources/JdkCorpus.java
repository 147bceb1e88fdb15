package dev.whirlwind.data.sources;

import dev.whirlwind.data.tokenizers.Text;
import dev.whirlwind.model.UserException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Real text wherever a JDK is: the sources of its base module in {@code lib/src.zip}, as two corpora that share no file.
 * One is the English prose of the documentation comments, the other the Java code without any comment.
 */
public final class JdkCorpus implements Corpus {
    private static final String MODULE = "java.base/";
    private static final int SHORTEST = 200;

    /** Of characters: above it a file is a table (of character sets, powers, object identifiers), not code. */
    private static final double MOST_DIGITS = 0.1;

    private static final List<String> USUAL_PLACES = List.of(
            "/usr/lib/jvm",
            "/usr/java",
            "/opt",
            "/Library/Java/JavaVirtualMachines",
            System.getProperty("user.home") + "/.sdkman/candidates/java",
            System.getProperty("user.home") + "/.jdks",
            "C:/Program Files/Java",
            "C:/Program Files/Eclipse Adoptium",
            "C:/Program Files/Microsoft");

    private final Path sources;
    private final boolean prose;
    private final long limitBytes;

    private JdkCorpus(Path sources, boolean prose, long limitBytes) {
        this.sources = sources;
        this.prose = prose;
        this.limitBytes = limitBytes;
    }

    /** The prose of documentation comments: a document per source file, a line per paragraph, to about a size. */
    public static JdkCorpus prose(Path sources, long limitBytes) {
        return new JdkCorpus(sources, true, limitBytes);
    }

    /** The code without comments: a document per source file, to about a size in bytes. */
    public static JdkCorpus code(Path sources, long limitBytes) {
        return new JdkCorpus(sources, false, limitBytes);
    }

    /**
     * The {@code src.zip} of the running JDK, else of another one on this machine.
     *
     * @throws UserException when none is found
     */
    public static Path findSources() {
        Set<Path> homes = new LinkedHashSet<>();
        homes.add(Path.of(System.getProperty("java.home")));
        Optional.ofNullable(System.getenv("JAVA_HOME")).map(Path::of).ifPresent(homes::add);
        USUAL_PLACES.forEach(place -> homes.addAll(children(Path.of(place))));
        return homes.stream()
                .flatMap(home -> Stream.of(home.resolve("lib/src.zip"), home.resolve("Contents/Home/lib/src.zip")))
                .filter(Files::isReadable)
                .findFirst()
                .orElseThrow(() -> new UserException("no JDK on this machine has its sources (lib/src.zip; looked in "
                        + System.getProperty("java.home")
                        + " and the usual places): install them (Debian: openjdk-25-source) or set JAVA_HOME to a JDK"
                        + " that has them"));
    }

    private static List<Path> children(Path folder) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> children = Files.list(folder)) {
            // The newest version first, more or less.
            return children.sorted(Comparator.reverseOrder()).toList();
        } catch (IOException _) {
            return List.of();
        }
    }

    @Override
    public String name() {
        return sources + (prose ? " (prose)" : " (code)");
    }

    @Override
    public void read(Sink sink) {
        try (ZipFile zip = new ZipFile(sources.toFile())) {
            // In an order that mixes packages, so that any size limit takes a fair sample of them.
            List<? extends ZipEntry> entries = zip.stream()
                    .filter(isSource().and(entry -> (hash(entry) & 1) == (prose ? 1 : 0)))
                    .sorted(Comparator.comparingLong(JdkCorpus::hash).thenComparing(ZipEntry::getName))
                    .toList();
            long bytes = 0;
            for (ZipEntry entry : entries) {
                if (bytes >= limitBytes) {
                    return;
                }
                String text = text(zip, entry);
                if (text.length() >= SHORTEST && digits(text) <= MOST_DIGITS) {
                    bytes += Text.utf8Length(text);
                    TextReader.cut(text, TextReader.PIECE, (piece, last) -> sink.text(entry.getName(), piece, last));
                }
            }
        } catch (IOException e) {
            throw Reading.failure(sources, e);
        }
    }

    /** Java files of the base module; those of older JDKs' archives too, which have no module folders. */
    private static Predicate<ZipEntry> isSource() {
        return entry -> entry.getName().endsWith(".java")
                && (entry.getName().startsWith(MODULE) || entry.getName().startsWith("java/"))
                && !entry.getName().endsWith("-info.java");
    }

    private static long hash(ZipEntry entry) {
        return Hash.mix(entry.getName().hashCode());
    }

    private static double digits(String text) {
        return (double) text.chars()
                        .filter(c -> Character.isDigit(c) || c == '\\')
                        .count()
                / text.length();
    }

    private String text(ZipFile zip, ZipEntry entry) throws IOException {
        try (InputStream in = zip.getInputStream(entry)) {
            String source = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            List<String> comments = new ArrayList<>();
            String code = JavaSource.split(source, comments);
            if (!prose) {
                return code;
            }
            Set<String> paragraphs = new LinkedHashSet<>();
            comments.forEach(comment -> paragraphs.addAll(Javadoc.paragraphs(comment)));
            return String.join("\n", paragraphs) + "\n";
        }
    }
}
