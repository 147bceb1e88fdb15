/** What a run keeps on disk to go on from: checkpoints, their manifests, the state of the trainer. */
package dev.whirlwind.training.checkpoints;
