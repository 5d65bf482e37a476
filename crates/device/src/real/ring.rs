//! Rings between audio callbacks and the engine.
