package dev.whirlwind.training.report;

import java.util.ArrayList;
import java.util.List;

/**
 * A figure over the steps of a run of any length, in bounded memory: neighbouring points share a bucket, which keeps its
 * lowest and its highest. Where buckets run out, each becomes one with its neighbour.
 */
final class Curve {
    /** Even, and more than a screen has columns. */
    private static final int MOST = 2048;

    private List<Bucket> buckets = new ArrayList<>();

    /** Points of a full bucket. */
    private long width = 1;

    record Point(double x, double y) {}

    /** Points next to each other; those that are not finite are counted only. */
    static final class Bucket {
        private final long first;
        private long last;
        private long points;
        private long finite;
        private double sum;
        private Point lowest;
        private Point highest;

        private Bucket(long x, double y) {
            first = x;
            add(x, y);
        }

        private Bucket(Bucket a, Bucket b) {
            first = a.first;
            last = b.last;
            points = a.points + b.points;
            finite = a.finite + b.finite;
            sum = a.sum + b.sum;
            lowest = b.lowest == null || (a.lowest != null && a.lowest.y <= b.lowest.y) ? a.lowest : b.lowest;
            highest = b.highest == null || (a.highest != null && a.highest.y >= b.highest.y) ? a.highest : b.highest;
        }

        private void add(long x, double y) {
            last = x;
            points++;
            if (Double.isFinite(y)) {
                finite++;
                sum += y;
                lowest = lowest == null || y < lowest.y ? new Point(x, y) : lowest;
                highest = highest == null || y > highest.y ? new Point(x, y) : highest;
            }
        }

        /** Whether a point is not finite. */
        boolean isBroken() {
            return finite < points;
        }

        boolean isEmpty() {
            return finite == 0;
        }

        double middle() {
            return (first + last) / 2.0;
        }

        double mean() {
            return sum / finite;
        }
    }

    void add(long x, double y) {
        if (!buckets.isEmpty() && buckets.getLast().points < width) {
            buckets.getLast().add(x, y);
            return;
        }
        if (buckets.size() == MOST) {
            buckets = joined(2);
            width *= 2;
        }
        buckets.add(new Bucket(x, y));
    }

    /** At most so many buckets. */
    List<Bucket> buckets(int most) {
        return joined(Math.ceilDiv(buckets.size(), most));
    }

    private List<Bucket> joined(int together) {
        if (together <= 1) {
            return List.copyOf(buckets);
        }
        List<Bucket> joined = new ArrayList<>();
        for (int i = 0; i < buckets.size(); i += together) {
            joined.add(buckets.subList(i, Math.min(buckets.size(), i + together)).stream()
                    .reduce(Bucket::new)
                    .orElseThrow());
        }
        return joined;
    }

    /** Lowest and highest of each bucket in their order; null between points that a line must not join. */
    List<Point> points(int most) {
        List<Point> points = new ArrayList<>();
        for (Bucket bucket : buckets(most)) {
            if (bucket.isEmpty()) {
                points.add(null);
                continue;
            }
            boolean rising = bucket.lowest.x <= bucket.highest.x;
            points.add(rising ? bucket.lowest : bucket.highest);
            if (bucket.lowest.x != bucket.highest.x) {
                points.add(rising ? bucket.highest : bucket.lowest);
            }
        }
        return points;
    }

    /** Where points are not finite. */
    List<Double> breaks(int most) {
        return buckets(most).stream()
                .filter(Bucket::isBroken)
                .map(Bucket::middle)
                .toList();
    }

    /**
     * The mean around each bucket, weighed by a normal curve whose standard deviation is a fiftieth of the range, and at
     * least a step (Nadaraya and Watson's estimate): unlike a running mean it is as smooth for long runs as for short ones,
     * and lags behind none.
     */
    List<Point> smoothed(int most) {
        List<Bucket> all = buckets(most).stream().filter(b -> !b.isEmpty()).toList();
        List<Point> smoothed = new ArrayList<>();
        if (all.isEmpty()) {
            return smoothed;
        }
        double deviation = Math.max(1, (all.getLast().middle() - all.getFirst().middle()) / 50);
        for (Bucket here : all) {
            double weights = 0;
            double sum = 0;
            for (Bucket other : all) {
                double distance = (other.middle() - here.middle()) / deviation;
                double weight = Math.exp(-distance * distance / 2);
                weights += weight * other.finite;
                sum += weight * other.sum;
            }
            smoothed.add(new Point(here.middle(), sum / weights));
        }
        return smoothed;
    }
}
