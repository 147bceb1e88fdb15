package dev.whirlwind.tornado;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.MappingIterator;
import tools.jackson.databind.json.JsonMapper;

/** Times of kernels on the device, as TornadoVM's profiler tells them. */
public final class KernelTimes {
    private final Map<String, Time> byName = new TreeMap<>();

    /** Of all runs of one kernel. */
    public record Time(long calls, long nanos) {
        public double seconds() {
            return 1e-9 * nanos;
        }
    }

    KernelTimes() {}

    /** By the kernels' names. */
    public Map<String, Time> byName() {
        return Collections.unmodifiableMap(byName);
    }

    /**
     * Adds what executions logged: an object for each, in which each task, named {@code graph.kernel_number}, has an
     * object with its {@code TASK_KERNEL_TIME} in nanoseconds.
     */
    void add(String log) {
        try (MappingIterator<JsonNode> executions =
                JsonMapper.shared().readerFor(JsonNode.class).readValues(log)) {
            executions.forEachRemaining(execution -> execution.forEach(this::addGraph));
        }
    }

    private void addGraph(JsonNode graph) {
        graph.properties().forEach(entry -> {
            JsonNode nanos = entry.getValue().path("TASK_KERNEL_TIME");
            if (nanos.isString()) {
                String task = entry.getKey();
                String kernel = task.substring(task.indexOf('.') + 1, task.lastIndexOf('_'));
                Time one = new Time(1, Long.parseLong(nanos.stringValue()));
                byName.merge(kernel, one, (a, b) -> new Time(a.calls() + b.calls(), a.nanos() + b.nanos()));
            }
        });
    }
}
