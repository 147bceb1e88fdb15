package uk.ac.manchester.tornado.api.types;

/** A number of 16 bits; here only as the element of fragments, which stand for registers. */
public class HalfFloat {
    private HalfFloat() {}
}
