package dev.whirlwind.training.config;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * An option of a run. The component of a section's record that it stands at is the option's only declaration: YAML files,
 * the command line and its help, defaults and docs/options.md are made of it. Its name is the component's in snake_case,
 * with dashes on the command line; its type is the component's.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
public @interface Option {
    /** What it is, in a sentence or two. */
    String help();

    /** Its default, as it would stand in YAML; empty for none, which is null, or an empty list. */
    String value() default "";

    /** What stands for its value in the help; empty for what suits the type. */
    String label() default "";

    /** What values it may have. */
    Range range() default Range.ANY;

    /** What it has an effect beside, as in {@link Need}; of several one will do. Empty for an effect of its own. */
    String[] needs() default {};

    /** Whether it may change while a run is under way, because it does not decide what the run becomes. */
    boolean free() default false;
}
