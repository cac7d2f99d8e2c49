//! Owns tests of the reader.
