package dev.whirlwind.data;

import java.util.Arrays;

/** Hashes that were met, each with the number of the document that had it first: twelve bytes each, half of the places free. */
final class HashSet64 {
    private long[] hashes = new long[1 << 10];
    private int[] documents = new int[1 << 10];
    private int size;

    /** The first document of this hash, which becomes the one given if there is none yet. */
    int firstOf(long hash, int document) {
        if (2 * size >= hashes.length) {
            grow();
        }
        // Zero marks a free place.
        long key = hash == 0 ? 1 : hash;
        int place = place(hashes, key);
        if (hashes[place] == 0) {
            hashes[place] = key;
            documents[place] = document;
            size++;
        }
        return documents[place];
    }

    private static int place(long[] hashes, long key) {
        int mask = hashes.length - 1;
        int place = (int) (key ^ (key >>> 32)) & mask;
        while (hashes[place] != 0 && hashes[place] != key) {
            place = (place + 1) & mask;
        }
        return place;
    }

    private void grow() {
        long[] old = hashes;
        int[] oldDocuments = documents;
        hashes = new long[2 * old.length];
        documents = Arrays.copyOf(documents, hashes.length);
        for (int i = 0; i < old.length; i++) {
            if (old[i] != 0) {
                int place = place(hashes, old[i]);
                hashes[place] = old[i];
                documents[place] = oldDocuments[i];
            }
        }
    }
}
