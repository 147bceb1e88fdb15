package dev.whirlwind.model;

/** What of Lion does not change during a run. */
public record Lion(float beta1, float beta2, float weightDecay) {}
