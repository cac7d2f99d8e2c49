//! Owns the counters of the machine: plain numbers, read by whoever shows them.

use serde::{Deserialize, Serialize};

macro_rules! counters {
    ($($name:ident: $help:literal,)*) => {
        /// Totals since this machine began.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Stats {
            $(#[doc = $help] pub $name: u64,)*
        }

        impl Stats {
            /// Name, help text and value of each.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), $help, self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    steps: "Inputs handled.",
    offers: "Offers received.",
    declines: "Offers declined.",
    inverse_offers: "Inverse offers received.",
    claims: "Agents kept free for an app that found no room for long.",
    odd_offers: "Offers with an id that is held already.",
    rescinds: "Offers rescinded.",
    placements: "Tasks placed on offers.",
    launches: "Tasks sent to Mesos.",
    written_off: "Placements whose offer was gone when they were durable.",
    kills: "KILL calls sent.",
    stuck_kills: "Tasks that did not end for a long time after they were told to.",
    updates: "Status updates received.",
    stale_updates: "Status updates that said nothing that is still true.",
    odd_updates: "Status updates that could not be understood or acknowledged.",
    unknown_updates: "Status updates about tasks no record knows.",
    acknowledgements: "Status updates acknowledged.",
    reconciled_tasks: "Tasks asked after by name.",
    revives: "REVIVE calls sent.",
    suppresses: "SUPPRESS calls sent.",
    connections: "Subscriptions that stood.",
    disconnections: "Subscriptions that ended.",
    failures: "FAILURE events received.",
    other_events: "Events of other kinds.",
    requests: "Requests for changes.",
    requests_refused: "Requests for changes that were refused.",
    batches: "Batches of changes handed to the journal.",
    records: "Record changes in those batches.",
    events: "Events published.",
    odd_records: "Durable records that could not be understood.",
    orphan_records: "Durable records whose app was gone.",
    former_dropped: "Superseded tasks not remembered for lack of room.",
    quarantine_dropped: "Unknown tasks not remembered for lack of room.",
}
