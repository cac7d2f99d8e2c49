//! Owns streams of chance of their own: what is drawn from one shifts nothing that is drawn from another, so that a new
//! kind of fault leaves the others of a seed as they were.

use swan_core::rng::Rng;

use crate::digest::Digest;

/// The stream of this name.
pub(crate) fn named(seed: u64, name: &str) -> Rng {
    let mut digest = Digest::default();
    digest.bytes(name.as_bytes());
    Rng::new(seed ^ digest.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_told_apart_by_seed_and_name() {
        let first = |seed, name| named(seed, name).next();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }
}
