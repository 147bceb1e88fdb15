package dev.whirlwind.data.sources;

import java.util.List;

/** Takes Java source apart into its code and its comments. Literals, text blocks too, are left as they are. */
final class JavaSource {
    private final String source;
    private final StringBuilder code;
    private final List<String> docComments;
    private int at;

    private JavaSource(String source, List<String> docComments) {
        this.source = source;
        this.docComments = docComments;
        code = new StringBuilder(source.length());
    }

    /** The source without its comments and the lines that held nothing else; documentation comments go to a list. */
    static String split(String source, List<String> docComments) {
        return new JavaSource(source.replace("\r\n", "\n"), docComments).code();
    }

    private String code() {
        while (at < source.length()) {
            if (source.startsWith("//", at)) {
                comment(endOf("\n", at));
            } else if (source.startsWith("/*", at)) {
                int end = Math.min(endOf("*/", at + 2) + 2, source.length());
                // From four characters on: the comment /**/ documents nothing.
                if (source.startsWith("**", at + 1) && end - at > "/**/".length()) {
                    docComments.add(source.substring(at + "/**".length(), Math.max(at + 3, end - 2)));
                }
                comment(end);
            } else if (source.startsWith("\"\"\"", at)) {
                literal("\"\"\"");
            } else if (source.charAt(at) == '"' || source.charAt(at) == '\'') {
                literal(source.substring(at, at + 1));
            } else {
                plain(source.charAt(at++));
            }
        }
        return code.toString();
    }

    private int endOf(String mark, int from) {
        int end = source.indexOf(mark, from);
        return end < 0 ? source.length() : end;
    }

    /** Copies a literal up to its closing quotes; a quoted one that is not closed ends with its line. */
    private void literal(String quotes) {
        int i = at + quotes.length();
        while (i < source.length() && !source.startsWith(quotes, i)) {
            if (source.charAt(i) == '\n' && quotes.length() == 1) {
                break;
            }
            i += source.charAt(i) == '\\' ? 2 : 1;
        }
        int end = Math.min(source.length(), source.startsWith(quotes, i) ? i + quotes.length() : i);
        code.append(source, at, end);
        at = end;
    }

    /** Leaves out the comment that ends before {@code end}, and its line when nothing else is on it. */
    private void comment(int end) {
        int next = end;
        while (next < source.length() && isBlank(source.charAt(next))) {
            next++;
        }
        boolean endsLine = next == source.length() || source.charAt(next) == '\n';
        int content = code.length();
        while (content > 0 && isBlank(code.charAt(content - 1))) {
            content--;
        }
        boolean startsLine = content == 0 || code.charAt(content - 1) == '\n';
        if (endsLine) {
            code.setLength(content);
            at = startsLine ? Math.min(next + 1, source.length()) : next;
        } else {
            at = startsLine || content < code.length() ? next : end;
        }
    }

    /** Copies a character of the code proper, where lines lose trailing blanks and no two empty ones follow. */
    private void plain(char c) {
        if (c != '\n') {
            code.append(c);
            return;
        }
        while (!code.isEmpty() && isBlank(code.charAt(code.length() - 1))) {
            code.setLength(code.length() - 1);
        }
        int length = code.length();
        boolean emptyBefore =
                length == 0 || (length > 1 && code.charAt(length - 1) == '\n' && code.charAt(length - 2) == '\n');
        if (!emptyBefore) {
            code.append('\n');
        }
    }

    private static boolean isBlank(char c) {
        return c == ' ' || c == '\t' || c == '\f';
    }
}
