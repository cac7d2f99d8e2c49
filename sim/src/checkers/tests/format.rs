//! Owns the tests of the check of format levels.

use swan_core::journal::{Manifest, OpId};

use super::*;
use crate::checkers::format_levels::FormatLevels;

fn stores(op: StoreOp) -> ManagerEffect {
    ManagerEffect::Store { id: OpId(0), op }
}

fn at_level(level: u8) -> Entry {
    Entry { level, ..entry(Vec::new()) }
}

fn appends(level: u8) -> ManagerEffect {
    stores(StoreOp::Append { epoch: Epoch(1), index: 0, entry: at_level(level).encode(0) })
}

/// A checker that has seen level 2 take force.
fn raised() -> FormatLevels {
    let mut checker = FormatLevels::default();
    let switched = Seen::Switched { level: 2, readers: &[2, 3] };
    assert_eq!(see(&mut checker, &stored(None), switched), Ok(()));
    checker
}

fn judged(seen: Seen<'_>) -> bool {
    see(&mut raised(), &stored(None), seen).is_ok()
}

#[test]
fn s25_a_level_rises_by_one_for_all_who_are_registered_and_never_falls() {
    assert!(judged(Seen::Switched { level: 2, readers: &[1] }), "who joins later has to see to itself");
    assert!(judged(Seen::Switched { level: 3, readers: &[3] }));
    assert!(!judged(Seen::Switched { level: 3, readers: &[3, 2] }), "one is left behind");
    assert!(!judged(Seen::Switched { level: 4, readers: &[4] }), "one is left out");
    assert!(!judged(Seen::Switched { level: 1, readers: &[] }), "it falls");
}

#[test]
fn s25_nothing_is_written_above_the_level_in_force() {
    assert!(judged(Seen::Does(&appends(2))) && !judged(Seen::Does(&appends(3))));
    assert!(judged(Seen::Stored(&at_level(2))) && !judged(Seen::Stored(&at_level(3))));
    let switch = |level| {
        let manifest = Manifest { level, ..Manifest::default() }.encode();
        stores(StoreOp::SwitchManifest { epoch: Epoch(1), expected: 0, joined: None, manifest })
    };
    assert!(judged(Seen::Does(&switch(3))) && !judged(Seen::Does(&switch(4))));
    let mut checker = raised();
    assert_eq!(see(&mut checker, &stored(None), Seen::Stored(&at_level(2))), Ok(()));
    assert!(see(&mut checker, &stored(None), Seen::Stored(&at_level(1))).is_err(), "it falls");
}

#[test]
fn s25_who_cannot_read_does_nothing_but_look() {
    for (reads, allowed) in [(1, false), (2, true)] {
        let mut checker = raised();
        assert_eq!(see(&mut checker, &stored(None), Seen::Started { reads }), Ok(()));
        let looks = stores(StoreOp::ReadManifest);
        assert_eq!(see(&mut checker, &stored(None), Seen::Does(&looks)), Ok(()));
        let does = see(&mut checker, &stored(None), Seen::Does(&appends(1)));
        assert_eq!(does.is_ok(), allowed, "{does:?}");
    }
}
