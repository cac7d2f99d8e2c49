//! Owns the offers that frameworks hold, by number: an offer's id is its master's id and that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use swan_core::mesos::OfferId;

use super::state::Outstanding;

/// All offers of one master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offers {
    prefix: String,
    next: u64,
    held: BTreeMap<u64, Outstanding>,
}

impl Offers {
    /// Those of a master that has made none yet.
    pub(crate) fn of(master_id: &str) -> Self {
        Self { prefix: format!("{master_id}-O"), next: 0, held: BTreeMap::new() }
    }

    /// The number of an offer to come; inverse offers are counted with the others.
    pub(crate) const fn next(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn id(&self, number: u64) -> OfferId {
        OfferId::new(format!("{}{number}", self.prefix))
    }

    /// Whatever no offer of this master can be called has no number.
    fn number(&self, id: &OfferId) -> Option<u64> {
        let digits = id.as_str().strip_prefix(&self.prefix)?;
        let canonical = digits == "0" || digits.starts_with(|first| matches!(first, '1'..='9'));
        digits.parse().ok().filter(|_| canonical)
    }

    pub(crate) fn hold(&mut self, number: u64, offer: Outstanding) {
        self.held.insert(number, offer);
    }

    pub(crate) fn get(&self, id: &OfferId) -> Option<&Outstanding> {
        self.held.get(&self.number(id)?)
    }

    pub(crate) fn remove(&mut self, id: &OfferId) -> Option<Outstanding> {
        self.held.remove(&self.number(id)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (OfferId, &Outstanding)> {
        self.held.iter().map(|(number, offer)| (self.id(*number), offer))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Outstanding> {
        self.held.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_of_this_master_has_a_number() {
        let offers = Offers::of("M");
        for number in [0, 7, 10, u64::MAX] {
            assert_eq!(offers.number(&offers.id(number)), Some(number));
        }
        for other in ["M-O", "M-O07", "M-O+7", "M-O7x", "N-O7", "7", "M-O18446744073709551616"] {
            assert_eq!(offers.number(&other.into()), None, "{other}");
        }
    }
}
