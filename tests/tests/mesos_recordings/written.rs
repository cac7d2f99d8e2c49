//! Owns recordings written by hand, of what the shared ones do not show.
