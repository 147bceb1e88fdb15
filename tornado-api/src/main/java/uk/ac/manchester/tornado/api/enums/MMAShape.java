package uk.ac.manchester.tornado.api.enums;

/** Rows, columns and depth of a product on tensor cores. */
public enum MMAShape {
    M16N8K16
}
