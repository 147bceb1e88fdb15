package dev.whirlwind.training.report;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;

/** An axis: from values to places between 0 and 1, and the round values that are written beside it. */
record Scale(double low, double high, boolean logarithmic) {
    /** A logarithmic axis serves values that span more than this. */
    private static final double WIDE = 50;

    /** Values that differ by a smaller part differ by rounding. */
    private static final double EQUAL = 1e-9;

    /** Less is nothing, and more than its inverse all there is: further out, doubles lose their digits. */
    private static final double NOTHING = 1e-100;

    private static final int TICKS = 5;

    /** From the least to the most of some finite values, and equal ones in the middle. */
    static Scale of(DoubleStream values, boolean mayBeLogarithmic) {
        double[] sorted = values.sorted().toArray();
        double low = sorted.length == 0 ? 0 : sorted[0];
        double high = sorted.length == 0 ? 1 : sorted[sorted.length - 1];
        double size = Math.max(Math.abs(low), Math.abs(high));
        if (high - low <= Math.max(EQUAL * size, NOTHING)) {
            double around = size <= NOTHING ? 1 : size / 10;
            return new Scale(low - around, high + around, false);
        }
        return new Scale(low, high, mayBeLogarithmic && low > NOTHING && high < 1 / NOTHING && high > WIDE * low);
    }

    /** Of positive values that differ. */
    static Scale logarithmic(double low, double high) {
        return new Scale(low, high, true);
    }

    /** With some room above and below. */
    Scale padded() {
        if (logarithmic) {
            double factor = Math.pow(high / low, 0.04);
            return new Scale(low / factor, high * factor, true);
        }
        double room = (high - low) * 0.04;
        return new Scale(low >= 0 ? Math.max(0, low - room) : low - room, high + room, false);
    }

    double place(double value) {
        return logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    }

    /** Values of one or a few digits. */
    List<Double> ticks() {
        return logarithmic ? powers() : multiples();
    }

    private List<Double> multiples() {
        double step = rounded((high - low) / TICKS);
        List<Double> ticks = new ArrayList<>();
        for (double i = Math.ceil(low / step); i * step <= high; i++) {
            ticks.add(i * step);
        }
        return ticks;
    }

    /** The nearest of 1, 2, 5, 10, 20 and so on. */
    private static double rounded(double value) {
        double power = Math.pow(10, Math.floor(Math.log10(value)));
        double digits = value / power;
        return power * (digits < 1.5 ? 1 : digits < 3.5 ? 2 : digits < 7.5 ? 5 : 10);
    }

    /** Of ten, each, every second and so on; with their doubles and fivefolds where there are few. */
    private List<Double> powers() {
        int first = (int) Math.floor(Math.log10(low));
        int last = (int) Math.ceil(Math.log10(high));
        int every = Math.max(1, Math.ceilDiv(last - first, TICKS));
        double[] digits = last - first <= 3 ? new double[] {1, 2, 5} : new double[] {1};
        List<Double> ticks = new ArrayList<>();
        for (int power = first; power <= last; power += every) {
            for (double digit : digits) {
                double tick = digit * Math.pow(10, power);
                if (tick >= low && tick <= high) {
                    ticks.add(tick);
                }
            }
        }
        return ticks;
    }
}
