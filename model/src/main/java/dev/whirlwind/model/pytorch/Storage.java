package dev.whirlwind.model.pytorch;

import dev.whirlwind.model.safetensors.DType;

/**
 * What a pickle says of the memory behind tensors, which lies elsewhere in the file.
 *
 * @param key its name there
 * @param elements how many it has
 */
record Storage(DType dtype, String key, long elements) {}
