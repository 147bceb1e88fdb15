package dev.whirlwind.training.report;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** Texts and figures as they may stand in a page. */
final class Html {
    private Html() {}

    /** A text that is shown as it is, whatever it says; what no page may hold becomes U+FFFD. */
    static String text(Object value) {
        String text = String.valueOf(value);
        StringBuilder safe = new StringBuilder();
        text.codePoints().forEach(c -> {
            switch (c) {
                case '&' -> safe.append("&amp;");
                case '<' -> safe.append("&lt;");
                case '>' -> safe.append("&gt;");
                case '"' -> safe.append("&quot;");
                case '\'' -> safe.append("&#39;");
                default -> {
                    boolean control = (c < ' ' && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0);
                    boolean surrogate = c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE;
                    safe.appendCodePoint(control || surrogate ? 0xfffd : c);
                }
            }
        });
        return safe.toString();
    }

    /** A number in a few characters: 4.217, 12,345, 3.1e-4. */
    static String figure(double value) {
        if (!Double.isFinite(value)) {
            return Double.isNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
        }
        double size = Math.abs(value);
        if (value != 0 && (size < 1e-2 || size >= 1e7)) {
            BigDecimal rounded = BigDecimal.valueOf(value).round(new MathContext(3));
            int exponent = rounded.precision() - rounded.scale() - 1;
            return rounded.movePointLeft(exponent).stripTrailingZeros().toPlainString() + "e" + exponent;
        }
        if (size >= 1000) {
            return String.format(Locale.ROOT, "%,.0f", value);
        }
        return digits(value, 4);
    }

    /** A count in a few characters: 12,345, 16.38 M, 3.277 B. */
    static String count(double value) {
        return value >= 1e9
                ? digits(value / 1e9, 4) + " B"
                : value >= 1e6 ? digits(value / 1e6, 4) + " M" : String.format(Locale.ROOT, "%,.0f", value);
    }

    /** As few digits as give the value this exactly. */
    static String digits(double value, int significant) {
        return value == 0
                ? "0"
                : BigDecimal.valueOf(value)
                        .round(new MathContext(significant))
                        .stripTrailingZeros()
                        .toPlainString();
    }

    static String time(double seconds) {
        long s = Math.round(seconds);
        return s < 3600
                ? String.format(Locale.ROOT, "%d:%02d", s / 60, s % 60)
                : String.format(Locale.ROOT, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    }

    /** A file that lies beside this class. */
    static String resource(String name) {
        try (InputStream in = Html.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
