package dev.whirlwind.model;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads the rotary positions of a config.json, in their old form (rope_theta, rope_scaling) and their new one
 * (rope_parameters), as {@code transformers} does: rope_scaling goes before rope_parameters, rope_type before type.
 */
final class RopeReader {
    private static final double THETA = 10_000;

    private final ConfigFields config;
    private final ConfigFields scaling;
    private final int headDim;
    private final int positions;

    RopeReader(ConfigFields config, int headDim, int positions) {
        this.config = config;
        this.headDim = headDim;
        this.positions = positions;
        ConfigFields old = config.object("rope_scaling");
        ConfigFields now = config.object("rope_parameters");
        ConfigFields given = old != null && !old.json().isEmpty() ? old : now;
        scaling = given != null ? given : new ConfigFields(JsonMapper.shared().createObjectNode(), config.source());
    }

    Rope read() {
        if (headDim % 2 != 0) {
            throw config.error("head_dim", "is " + headDim + ", which is odd; rotary positions need pairs");
        }
        for (JsonNode value : scaling.json()) {
            if (value.isObject()) {
                throw config.error("rope_parameters", "differs by kind of layer, which is not supported");
            }
        }
        double theta = scaling.positive("rope_theta", config.positive("rope_theta", THETA));
        String type = scaling.text("rope_type", scaling.text("type", "default"));
        return new Rope(theta, scaling(type));
    }

    private RopeScaling scaling(String type) {
        double partial = scaling.positive("partial_rotary_factor", config.positive("partial_rotary_factor", 1));
        if (partial != 1 && !type.equals("proportional")) {
            throw config.error("partial_rotary_factor", "is " + partial + ", but only 1 is supported");
        }
        return switch (type) {
            case "default" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(scaling.positive("factor"));
            case "proportional" -> new RopeScaling.Proportional(scaling.positive("factor", 1), Math.min(partial, 1));
            case "dynamic" -> dynamic();
            case "llama3" ->
                new RopeScaling.Llama3(
                        scaling.positive("factor"),
                        scaling.positive("low_freq_factor"),
                        scaling.positive("high_freq_factor"),
                        original());
            case "yarn" -> yarn();
            case "longrope", "su" -> longRope();
            default ->
                throw config.error(
                        "rope_type",
                        "\"" + Reason.cited(type)
                                + "\" is not supported, only default, linear, dynamic, yarn, longrope, llama3,"
                                + " proportional");
        };
    }

    private RopeScaling dynamic() {
        if (headDim == 2) {
            throw config.error("rope_type", "\"dynamic\" needs a head_dim above 2");
        }
        return new RopeScaling.Dynamic(scaling.positive("factor"), positions);
    }

    private RopeScaling yarn() {
        double factor = factor();
        double mscale = optional("mscale");
        double mscaleAllDim = optional("mscale_all_dim");
        double byDefault = mscale > 0 && mscaleAllDim > 0
                ? magnitude(factor, mscale) / magnitude(factor, mscaleAllDim)
                : magnitude(factor, 1);
        double fast = optional("beta_fast");
        double slow = optional("beta_slow");
        return new RopeScaling.Yarn(
                factor,
                original(),
                fast > 0 ? fast : 32,
                slow > 0 ? slow : 1,
                scaling.flag("truncate", true),
                scaling.positive("attention_factor", byDefault));
    }

    /** What YaRN's scores grow by for a stretch (arXiv 2309.00071, section 3.4). */
    private static double magnitude(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private RopeScaling longRope() {
        double factor = factor();
        int original = original();
        double byDefault = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
        return new RopeScaling.LongRope(
                scaling.positives("short_factor", headDim / 2),
                scaling.positives("long_factor", headDim / 2),
                factor,
                original,
                scaling.positive("attention_factor", byDefault));
    }

    /** Left out, it is the ratio of the model's positions to those of the first pre-training. */
    private double factor() {
        return scaling.positive("factor", (double) positions / original());
    }

    /** Positions of the first pre-training. */
    private int original() {
        return config.size(
                "original_max_position_embeddings", scaling.size("original_max_position_embeddings", positions));
    }

    /** Where 0 means left out. */
    private double optional(String key) {
        return scaling.number(key, 0);
    }
}
