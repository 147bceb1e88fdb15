package dev.whirlwind.model;

import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/** The function of a feed-forward part, element by element: x times a share of it. */
public enum Activation {
    /** x s(x), with the logistic function s(x) = 1 / (1 + exp(-x)) (arXiv 1702.03118). */
    SILU,

    /** x s(1.702 x) (arXiv 1606.08415, section 2). */
    QUICK_GELU,

    /** 0.5 x (1 + tanh(u)) = x s(2u), u = sqrt(2 / pi) (x + 0.044715 x^3) (arXiv 1606.08415, section 2). */
    GELU_TANH,

    /** x Phi(x), with the normal distribution function Phi(x) = (1 + erf(x / sqrt(2))) / 2 (arXiv 1606.08415). */
    GELU,

    /** max(x, 0); its slope at 0 is 0. */
    RELU;

    /** By their names in {@code transformers}, some of which differ only in where they round. */
    static final SortedMap<String, Activation> BY_NAME = Collections.unmodifiableSortedMap(byName());

    private static SortedMap<String, Activation> byName() {
        SortedMap<String, Activation> names = new TreeMap<>();
        names.put("silu", SILU);
        names.put("swish", SILU);
        names.put("quick_gelu", QUICK_GELU);
        names.put("gelu_new", GELU_TANH);
        names.put("gelu_fast", GELU_TANH);
        names.put("gelu_accurate", GELU_TANH);
        names.put("gelu_pytorch_tanh", GELU_TANH);
        names.put("gelu_python_tanh", GELU_TANH);
        names.put("gelu", GELU);
        names.put("gelu_python", GELU);
        names.put("relu", RELU);
        return names;
    }

    /** Whether it is x s(a x + b x^3), with the logistic function s. */
    public boolean isLogistic() {
        return this == SILU || this == QUICK_GELU || this == GELU_TANH;
    }

    /** The factor a of x in x s(a x + b x^3), the form of those with a logistic function. */
    public double linear() {
        return switch (this) {
            case SILU -> 1;
            case QUICK_GELU -> 1.702;
            case GELU_TANH -> 2 * Math.sqrt(2 / Math.PI);
            case GELU, RELU -> throw new IllegalStateException(this + " has no such form");
        };
    }

    /** The factor b of x^3 in x s(a x + b x^3). */
    public double cubic() {
        return this == GELU_TANH ? linear() * 0.044715 : 0;
    }
}
