//! Everything that a button does, with nobody looking.
