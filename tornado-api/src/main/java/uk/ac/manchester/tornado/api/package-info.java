/**
 * The part of TornadoVM's API that Whirlwind compiles against; at run time the installed SDK's own classes take its place.
 * Compared, member by member, with TornadoVM 5.2.1 (OpenCL and CUDA back ends); a test does that wherever there is an SDK.
 * Of 6.0 to 7.1 only the public sources were read: from 6.0 on tasks must be serializable.
 */
package uk.ac.manchester.tornado.api;
