package dev.whirlwind.model;

import dev.whirlwind.model.weights.Errors;
import dev.whirlwind.model.weights.TensorFile;
import dev.whirlwind.model.weights.WeightFiles;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A folder's weights, found to be those of its configuration: every tensor is there, has its shape and can be read, and
 * there are no others.
 *
 * @param config what config.json says, as the weights have it
 * @param tensors what the model has
 * @param names what they are called in the files, in the same order
 */
record StoredModel(WeightFiles files, ModelConfig config, List<CheckpointTensor> tensors, List<String> names)
        implements AutoCloseable {
    private static final String HEAD = "lm_head.weight";

    /** Mask, position and rotary buffers, which old versions of {@code transformers} saved: they follow from config.json. */
    private static final Pattern BUFFERS =
            Pattern.compile("(.*\\.)?(attn\\.(masked_)?bias|rotary_emb\\.inv_freq|position_ids)");

    /** @throws UserException if the weights are not those of the configuration */
    static StoredModel open(Path folder, ModelConfig given) {
        WeightFiles files = WeightFiles.open(folder);
        try {
            ModelConfig config = withHead(files, given);
            List<CheckpointTensor> tensors = new ParameterLayout(config).checkpointTensors();
            List<String> names = tensors.stream()
                    .map(tensor -> stored(files, config, tensor.name()))
                    .toList();
            StoredModel model = new StoredModel(files, config, tensors, names);
            model.check();
            return model;
        } catch (RuntimeException | Error e) {
            files.close();
            throw e;
        }
    }

    /**
     * Whether the head is the token embedding is for the weights to say, as in {@code transformers} 5: where both are
     * stored and differ it is not, whatever config.json has.
     */
    private static ModelConfig withHead(WeightFiles files, ModelConfig config) {
        String embedding = stored(files, config, CheckpointTensor.tokenEmbedding(config));
        String head = stored(files, config, HEAD);
        boolean separate = files.names().contains(head);
        if (!config.tied() && !separate) {
            throw new UserException(files.folder() + ": its weights have no " + HEAD
                    + "; where the head is the token embedding, set \"" + ModelConfig.TIED
                    + "\": true in config.json, else download the model again");
        }
        boolean contradicts = config.tied()
                && separate
                && files.names().contains(embedding)
                && !embedding.equals(head)
                && !files.same(embedding, head);
        return contradicts ? config.untied() : config;
    }

    /**
     * A tensor's name in the files. Base models (GPT-2 on the hub among them) leave the prefix out, and some files put it
     * before the head's, too; of a tied pair the head alone may be there.
     */
    private static String stored(WeightFiles files, ModelConfig config, String name) {
        String prefix = config.architecture().prefix();
        String bare = name.startsWith(prefix) ? name.substring(prefix.length()) : name;
        boolean tiedEmbedding = config.tied() && name.equals(CheckpointTensor.tokenEmbedding(config));
        return Stream.concat(
                        Stream.of(name, bare, prefix + bare),
                        tiedEmbedding ? Stream.of(HEAD, prefix + HEAD) : Stream.of())
                .filter(files.names()::contains)
                .findFirst()
                .orElse(name);
    }

    private void check() {
        TreeSet<String> strangers = new TreeSet<>(files.names());
        names.forEach(strangers::remove);
        strangers.removeIf(name -> BUFFERS.matcher(name).matches());
        if (config.tied()) {
            strangers.remove(stored(files, config, HEAD));
        }
        // Before shapes and strangers, as quantized weights have other ones.
        Stream.concat(names.stream(), strangers.stream())
                .filter(files.names()::contains)
                .forEach(this::requireFloats);
        for (int i = 0; i < names.size(); i++) {
            requireShape(files.file(names.get(i)), names.get(i), tensors.get(i).shape());
        }
        if (!strangers.isEmpty()) {
            throw new UserException(files.folder() + ": holds " + strangers.size() + " tensor(s) that a "
                    + config.architecture().modelType() + " model of this config.json does not have, such as "
                    + Errors.quote(strangers.first()) + "; check that config.json belongs to these weights");
        }
    }

    private void requireFloats(String name) {
        TensorFile file = files.file(name);
        if (!file.dtype(name).convertible()) {
            throw new UserException(
                    file.path() + ": " + Errors.tensor(name) + " is " + file.dtype(name)
                            + ", as in quantized models, which cannot be trained; take the model's weights in F32, F16 or BF16");
        }
    }

    static void requireShape(TensorFile file, String name, List<Long> shape) {
        if (!file.shape(name).equals(shape)) {
            throw new UserException(file.path() + ": " + Errors.tensor(name) + " has shape "
                    + Errors.shape(file.shape(name)) + ", but config.json asks for " + shape
                    + "; check that they belong together");
        }
    }

    @Override
    public void close() {
        files.close();
    }
}
