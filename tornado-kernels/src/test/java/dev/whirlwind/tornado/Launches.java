package dev.whirlwind.tornado;

import dev.whirlwind.model.AdamW;
import dev.whirlwind.model.Adapter;
import dev.whirlwind.model.Buffer;
import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Generator;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Lion;
import dev.whirlwind.model.ModelConfig;
import dev.whirlwind.model.Objective;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Precision;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Sampler;
import dev.whirlwind.model.Saving;
import dev.whirlwind.model.Tensor;
import dev.whirlwind.model.Transformer;
import dev.whirlwind.tornado.kernels.Cursor;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** What an engine for GPUs would start, without a device and almost without memory. */
final class Launches extends KernelEngine {
    /** GPT-2 without dropout. */
    static final String GPT2 = """
            {"architectures":["GPT2LMHeadModel"],"model_type":"gpt2","n_embd":768,"n_layer":12,"n_head":12,
            "vocab_size":50257,"n_positions":1024,"resid_pdrop":0,"embd_pdrop":0,"attn_pdrop":0}
            """;

    /** Larger buffers are never looked at by the host, and get a single float. */
    private static final long LARGE = 1 << 20;

    private final int computeUnits;
    private final boolean tensorCores;
    private final List<Launch> all = new ArrayList<>();

    private Launches(int computeUnits, Precision precision, boolean tensorCores) {
        super(precision, Long.MAX_VALUE);
        this.computeUnits = computeUnits;
        this.tensorCores = tensorCores;
    }

    static ModelConfig config(String json) {
        return ModelConfig.parse(json.getBytes(StandardCharsets.UTF_8), "config.json");
    }

    /** Of a whole training step, in order. */
    static List<Launch> ofStep(ModelConfig config, int batch, int sequence, int computeUnits) {
        return ofStep(config, batch, sequence, computeUnits, Precision.FP32, false);
    }

    /** The same of a device with tensor cores, or without. */
    static List<Launch> ofStep(
            ModelConfig config, int batch, int sequence, int computeUnits, Precision precision, boolean tensorCores) {
        return of(computeUnits, precision, tensorCores, engine -> step(engine, config, batch, sequence));
    }

    /** Of a step of every optimizer but AdamW, for an objective with all that there is. */
    static List<Launch> ofOtherStep(
            ModelConfig config, int batch, int sequence, int computeUnits, Precision precision, boolean tensorCores) {
        return of(computeUnits, precision, tensorCores, engine -> {
            Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
            Transformer model = Transformer.forTraining(engine, weights, batch, sequence, false);
            otherStep(engine, model, Transformer.forEvaluation(engine, weights, batch, sequence));
        });
    }

    /** Of whatever an engine is to do. */
    static List<Launch> of(int computeUnits, Precision precision, boolean tensorCores, Consumer<Engine> work) {
        try (Launches launches = new Launches(computeUnits, precision, tensorCores)) {
            work.accept(launches);
            return launches.all;
        }
    }

    /** Of a prompt and the tokens that continue it. */
    static List<Launch> ofGeneration(ModelConfig config, int prompt, int length, int computeUnits) {
        try (Launches launches = new Launches(computeUnits, Precision.FP32, false)) {
            generate(launches, config, prompt, length);
            return launches.all;
        }
    }

    /** A training step of a model of zeros: as many launches of the same sizes as of any. */
    static void step(Engine engine, ModelConfig config, int batch, int sequence) {
        Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
        Transformer model = Transformer.forTraining(engine, weights, batch, sequence, false);
        Inputs inputs = model.inputs();
        for (int i = 0; i < inputs.tokens.length; i++) {
            inputs.tokens[i] = i % config.vocabularySize();
            inputs.targets[i] = (i + 1) % config.vocabularySize();
        }
        model.forwardBackward();
        update(engine, model);
    }

    /** What an optimizer computes after it. */
    static void update(Engine engine, Transformer model) {
        Inputs inputs = model.inputs();
        Parameters weights = model.weights();
        Parameters gradients = model.gradients();
        Parameters m = new Parameters(engine, weights.layout(), "m");
        Parameters v = new Parameters(engine, weights.layout(), "v");
        Tensor partials = new Tensor(engine.allocate("partials", Ops.PARTIALS), 0, 0);
        Program squares = ops ->
                ops.sumOfSquares(partials, gradients.all(), weights.layout().length());
        Program update = ops -> ops.adamw(
                weights.all(),
                gradients.all(),
                m.all(),
                v.all(),
                weights.layout().length(),
                new AdamW(0.9f, 0.95f, 1e-8f, 0.1f));
        engine.run(squares, inputs, 0);
        engine.run(update, inputs, 0);
    }

    /**
     * A step towards another objective, with itself as the teacher, and what each other optimizer makes of the gradient,
     * one after the other, as the training module has it; last an average of weights, and a pull to where they were.
     */
    static void otherStep(Engine engine, Transformer model, Transformer teacher) {
        Inputs inputs = model.inputs();
        Parameters weights = model.weights();
        Parameters m = new Parameters(engine, weights.layout(), "m");
        Parameters start = new Parameters(engine, weights.layout(), "start");
        long length = weights.layout().length();
        engine.run(ops -> ops.combine(start.all(), weights.all(), weights.all(), length, 1, 0), inputs, 0);
        model.trainFor(new Objective(0.1f, 1e-4f, 0.5f, 2), teacher);
        model.forwardBackward();
        for (ParameterLayout.Parameter p : weights.layout().parts()) {
            engine.run(ops -> otherUpdate(engine, ops, model, m, p), inputs, 0);
        }
        Tensor gradients = model.gradients().all();
        engine.run(
                ops -> {
                    ops.pull(gradients, m.all(), weights.all(), start.all(), length, 0.1f);
                    ops.lion(weights.all(), gradients, m.all(), length, new Lion(0.9f, 0.99f, 0.1f));
                    ops.descend(weights.all(), start.all(), length, -0.1f, 0.1f);
                    ops.combine(start.all(), start.all(), weights.all(), length, 0.9f, 0.1f);
                },
                inputs,
                0);
    }

    /** Of a step of adapters. */
    static List<Launch> ofAdapters(
            ModelConfig config, int batch, int sequence, int computeUnits, Precision precision, boolean tensorCores) {
        return of(
                computeUnits,
                precision,
                tensorCores,
                engine ->
                        adapterStep(engine, new Parameters(engine, withAdapters(config), "weights"), batch, sequence));
    }

    /** With magnitudes (DoRA), on all linear layers but the last. */
    static ParameterLayout withAdapters(ModelConfig config) {
        List<CheckpointTensor> modules = new ParameterLayout(config)
                .checkpointTensors().stream()
                        .filter(tensor -> tensor.name().endsWith("proj.weight"))
                        .toList();
        SequencedMap<String, Adapter.Lora> ranks = new LinkedHashMap<>();
        for (CheckpointTensor tensor : modules.subList(0, modules.size() - 1)) {
            ranks.put(Adapter.module(tensor.name()), new Adapter.Lora(3, 0.5f, true));
        }
        return new ParameterLayout(config, new Adapter(ranks, 0.1f, Set.of()));
    }

    /** A step of adapters alone, with noise on the embeddings, towards what was kept of a teacher; their gradients. */
    static Parameters adapterStep(Engine engine, Parameters weights, int batch, int sequence) {
        Set<String> trained = weights.layout().checkpointTensors().stream()
                .filter(CheckpointTensor::isOfAdapter)
                .map(CheckpointTensor::name)
                .collect(Collectors.toSet());
        Transformer model =
                Transformer.forTraining(engine, weights, batch, sequence, Saving.NOTHING, trained::contains);
        int top = 5;
        model.trainFor(new Objective(0.1f, 0, 0.5f, 2), new Objective.Kept(top));
        model.addNoise(5);
        Inputs inputs = model.inputs();
        for (int i = 0; i < inputs.tokens.length; i++) {
            inputs.tokens[i] = i * i % weights.config().vocabularySize();
            inputs.targets[i] = i % 7 == 3 ? -1 : (i + 5) % weights.config().vocabularySize();
            for (int j = 0; j < top; j++) {
                inputs.taughtTokens[i * top + j] = i % 7 + 2 * j;
                inputs.taughtProbabilities[i * (top + 1) + j] = 0.15f;
            }
            inputs.taughtProbabilities[i * (top + 1) + top] = 0.25f;
        }
        inputs.lossScale = 1f / inputs.tokens.length;
        model.forwardBackward();
        return model.gradients();
    }

    /** Muon's and Adafactor's, of one layer. */
    private static void otherUpdate(
            Engine engine, Ops ops, Transformer model, Parameters m, ParameterLayout.Parameter p) {
        Tensor direction = p.in(model.gradients().buffer());
        Tensor moments = new Tensor(engine.allocate("moments", (long) p.rows() + p.columns()), 0, 0);
        Tensor partials = new Tensor(engine.allocate("partials", Ops.PARTIALS), 0, 0);
        if (p.decayed() && p.perLayer()) {
            ops.momentum(direction, p.in(m.buffer()), p.size(), 0.95f);
            ops.sumOfSquares(partials, direction, p.size());
            ops.divideByNorm(direction, partials, p.size(), 1e-7f, 1);
            Tensor scratch =
                    new Tensor(engine.allocate("newton-schulz", Ops.newtonSchulzScratch(p.rows(), p.columns())), 0, 0);
            ops.newtonSchulz(direction, scratch, p.rows(), p.columns());
        }
        if (p.decayed()) {
            ops.factoredMoments(moments, moments.skip(p.rows()), direction, p.rows(), p.columns());
            ops.factoredDirection(direction, moments, moments.skip(p.rows()), p.rows(), p.columns());
            ops.scaleByRoots(direction, moments, moments, p.rows(), p.columns(), true);
        } else {
            ops.unfactoredDirection(direction, moments, p.size());
        }
        ops.addNoise(direction, p.rows(), p.columns(), 1e-6f);
        ops.descend(p.in(model.weights().buffer()), direction, p.size(), 1, 0.1f);
    }

    /** Tokens after a prompt. */
    static void generate(Engine engine, ModelConfig config, int prompt, int length) {
        Parameters weights = new Parameters(engine, new ParameterLayout(config), "weights");
        Generator generator = new Generator(engine, weights, prompt + length, prompt - 1);
        generator.generate(new int[prompt], length, Sampler.greedy(), Set.of(), token -> {});
    }

    @Override
    public String name() {
        return "launches";
    }

    @Override
    public String description() {
        return "what would be started";
    }

    @Override
    Recorder recorder() {
        return new GpuRecorder(this, computeUnits, tensorCores);
    }

    @Override
    public Buffer allocate(String name, long length) {
        return length <= LARGE ? super.allocate(name, length) : new Memory(name, new FloatArray(1));
    }

    @Override
    HalfMemory allocateHalves(String name, long length) {
        return length <= LARGE ? super.allocateHalves(name, length) : new HalfMemory(name, new IntArray(1), length);
    }

    @Override
    void run(Stage stage) {
        int position = ((IntArray) stage.inputs().getFirst()).get(Cursor.POSITION);
        for (Call call : stage.calls()) {
            all.add(Launch.of(call, position));
        }
    }

    @Override
    void fetch(Memory memory, long offset, long length) {}

    @Override
    void send(Memory memory, long offset, long length) {}

    @Override
    void fetch(BlockMemory memory) {}

    @Override
    void send(BlockMemory memory) {}

    @Override
    public void close() {}
}
