package dev.whirlwind.training.optimizers;

import dev.whirlwind.model.CheckpointTensor;
import dev.whirlwind.model.Engine;
import dev.whirlwind.model.Inputs;
import dev.whirlwind.model.Ops;
import dev.whirlwind.model.ParameterLayout;
import dev.whirlwind.model.ParameterLayout.Parameter;
import dev.whirlwind.model.Parameters;
import dev.whirlwind.model.Program;
import dev.whirlwind.model.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** What an update rule works on: the parameters that are trained, and how fast. */
public final class ParameterGroups {
    private final Engine engine;
    private final Parameters weights;
    private final Parameters gradients;
    private final List<ParameterGroup> parts;

    /** Programs, each of which runs for the layers of its group. */
    private record Update(ParameterGroup group, Program program) {}

    ParameterGroups(Engine engine, Parameters weights, Parameters gradients, RateFactors factors) {
        this.engine = engine;
        this.weights = weights;
        this.gradients = gradients;
        parts = parts(factors);
    }

    private List<ParameterGroup> parts(RateFactors factors) {
        ParameterLayout layout = gradients.layout();
        Map<Long, String> names = layout.checkpointTensors().stream()
                .collect(Collectors.toMap(CheckpointTensor::offset, CheckpointTensor::name));
        Map<String, Parameter> whole =
                weights.layout().parameters().stream().collect(Collectors.toMap(Parameter::name, Function.identity()));
        Map<String, Parameter> kinds =
                layout.parameters().stream().collect(Collectors.toMap(Parameter::name, Function.identity()));
        List<ParameterGroup> groups = new ArrayList<>();
        for (Parameter part : layout.parts()) {
            List<Double> ofLayers = new ArrayList<>();
            for (int layer = part.firstLayer(); layer < part.firstLayer() + part.layers(); layer++) {
                String name = names.get(part.offset(layer));
                ofLayers.add(name == null ? 0 : factors.of(name));
            }
            long within = part.offset() - kinds.get(part.name()).offset();
            Tensor place = whole.get(part.name()).in(weights.buffer()).skip(within);
            groups.add(new ParameterGroup(
                    part.name(),
                    place,
                    gradients.place(part),
                    part.offset(0),
                    part.stride(),
                    part.rows(),
                    part.size(),
                    part.decayed(),
                    part.firstLayer(),
                    ofLayers));
        }
        return groups;
    }

    Engine engine() {
        return engine;
    }

    Parameters gradients() {
        return gradients;
    }

    /** Each tensor of the checkpoint by itself, all layers' together. */
    List<ParameterGroup> parts() {
        return parts;
    }

    /** An update of these, in as few operations as their learning rates let it be. */
    UpdateOfGroups update(Predicate<ParameterGroup> which, BiConsumer<Ops, ParameterGroup> operation) {
        List<Update> updates = ParameterGroup.merged(
                        parts.stream().filter(which).toList())
                .stream()
                .map(group -> new Update(group, ops -> operation.accept(ops, group)))
                .toList();
        return (inputs, stage) -> updates.forEach(update ->
                update.group().forEachLayer(inputs, stage, layer -> engine.run(update.program(), inputs, layer)));
    }

    /** An update that is ready to run. */
    @FunctionalInterface
    interface UpdateOfGroups {
        void run(Inputs inputs, Stage stage);
    }
}
