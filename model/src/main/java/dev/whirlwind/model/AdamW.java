package dev.whirlwind.model;

/** What of AdamW does not change during a run. */
public record AdamW(float beta1, float beta2, float eps, float weightDecay) {}
