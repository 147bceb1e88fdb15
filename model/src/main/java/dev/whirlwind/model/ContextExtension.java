package dev.whirlwind.model;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ObjectNode;

/**
 * A model for longer texts than it was trained on: rotations scaled by a type and a factor, such as {@code yarn:4}, and so
 * many times the positions. It is written into config.json as {@code transformers} reads it.
 */
public final class ContextExtension {
    private static final List<String> TYPES = List.of("linear", "dynamic", "yarn", "llama3");

    private ContextExtension() {}

    /**
     * A configuration with more positions.
     *
     * @param scaling {@code TYPE:FACTOR}
     * @throws UserException if there is no such scaling, or the model has no rotations, or scaled ones already
     */
    public static ModelConfig of(ModelConfig model, String scaling) {
        int colon = scaling.indexOf(':');
        String type = colon < 0 ? scaling : scaling.substring(0, colon);
        double factor = factor(colon < 0 ? "" : scaling.substring(colon + 1));
        if (!TYPES.contains(type) || !(factor > 1)) {
            throw new UserException("rope_scaling is \"" + scaling + "\"; give one of " + String.join(", ", TYPES)
                    + " and a factor above 1, such as yarn:4"
                    + (type.equals("longrope")
                            ? "; longrope's factors are searched for, and belong into config.json"
                            : ""));
        }
        if (model.rope() == null) {
            throw new UserException("rope_scaling is \"" + scaling
                    + "\", but the model's positions are learned: it has " + model.maxPositions() + " of them");
        }
        if (!(model.rope().scaling() instanceof RopeScaling.None)) {
            throw new UserException("rope_scaling is \"" + scaling
                    + "\", but the model's config.json has rotations that are scaled already; change them there");
        }
        double positions = Math.floor(model.maxPositions() * factor);
        if (positions > Integer.MAX_VALUE) {
            throw new UserException("rope_scaling is \"" + scaling + "\", by which the model would have "
                    + String.format(Locale.ROOT, "%.0f", positions) + " positions; give a smaller factor");
        }
        ObjectNode json = model.json().deepCopy();
        json.remove("rope_scaling");
        ObjectNode rope = json.get("rope_parameters") instanceof ObjectNode parameters
                ? parameters
                : json.putObject("rope_scaling");
        rope.put("rope_type", type).put("factor", factor);
        if (!type.equals("linear") && !type.equals("dynamic")) {
            rope.put("original_max_position_embeddings", model.maxPositions());
        }
        if (type.equals("llama3")) {
            rope.put("low_freq_factor", 1.0).put("high_freq_factor", 4.0);
        }
        // Dynamic scaling counts from the positions that config.json has, which stay.
        if (!type.equals("dynamic")) {
            json.put("max_position_embeddings", (int) positions);
        }
        return ModelConfig.parse(json.toString().getBytes(StandardCharsets.UTF_8), "rope_scaling " + scaling);
    }

    private static double factor(String text) {
        try {
            return Double.parseDouble(text);
        } catch (NumberFormatException _) {
            return 0;
        }
    }
}
