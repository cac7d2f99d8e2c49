//! Owns the marks: which faults a batch of runs must have met in which phase of a change, or it has tested less than it
//! seems.

use crate::checkers::stored::Stored;
use crate::ledger::Ledger;

/// What apps may be about when a fault happens.
pub const PHASES: [&str; 8] = [
    "at rest",
    "creating",
    "scaling",
    "replacing",
    "rolling back",
    "paused",
    "stopping or starting",
    "deleting",
];

/// Faults that must have happened in every phase.
pub const FAULTS: [&str; 86] = [
    "agent: crash (A1)",
    "agent: executors lost (A3)",
    "agent: flap",
    "agent: full, though it offers (A8)",
    "agent: gone for ever (A1)",
    "agent: partition (A4)",
    "agent: reboot (A2)",
    "agent: stop",
    "agents: many lost at once (A5)",
    "agents: one after another (A5)",
    "agents: racks cut off (A5)",
    "clock: wall time wrong (C1)",
    "format: level raised (U1)",
    "format: refused by an older build (U1)",
    "leader: abdicates",
    "leader: crash loop (S-2)",
    "leader: paused (C2, Z3)",
    "manager: began anew (S6)",
    "master: ERROR before SUBSCRIBED (M4)",
    "master: ERROR, failed over (M6)",
    "master: ERROR, too many calls (M6)",
    "master: another takes all (M15)",
    "master: answers RECONCILE late (M13)",
    "master: does not answer RECONCILE (M13)",
    "master: failover (M1)",
    "master: nobody leads (M2)",
    "master: forgets what it cannot reach (M14)",
    "master: no SUBSCRIBED (M4)",
    "master: no offers, then all (M12)",
    "master: odd offer (M11)",
    "master: offers in pieces (M11)",
    "master: registry lost (M13)",
    "master: roles limited (M15)",
    "master: rescinds (M10)",
    "master: slow (M17)",
    "master: wrong redirect (M3)",
    "network: answer lost (M8)",
    "network: call ignored after 202 (M7)",
    "network: call lost",
    "network: cut",
    "network: half open (M5)",
    "network: SUBSCRIBE refused",
    "network: SUBSCRIBE swallowed",
    "network: stays half open after its process (M5)",
    "network: unreadable record (N2)",
    "network: update replayed late (M9)",
    "network: update twice (M9)",
    "operator: a tool launches a task as Swan (O4)",
    "operator: begins an outage (M16)",
    "operator: drains an agent (M16)",
    "operator: kills a container (O4)",
    "operator: marks an agent gone (M16)",
    "operator: newer build (U1)",
    "operator: older build (U1)",
    "operator: plans an outage (M16)",
    "process: crash at rest",
    "process: crash before an effect",
    "process: paused (C2)",
    "process: woken for nothing (S-4)",
    "process: paused before an effect (C2)",
    "store: damaged (Z5)",
    "store: failed",
    "store: full (S-3)",
    "store: stall",
    "store: unknown outcome",
    "task: does not end (T4)",
    "task: ignores the signal (T4)",
    "task: in a black hole (A6)",
    "task: launch failed (T1)",
    "task: odd update (T8)",
    "task: runs twice (T5)",
    "task: sick (T3)",
    "task: slow pull (T1)",
    "task: stuck (T1)",
    "task: will end oddly (T5)",
    "task: will exit (T2)",
    "zookeeper: connection lost at an operation (Z2)",
    "zookeeper: cut (Z2)",
    "zookeeper: damaged (Z5)",
    "zookeeper: no majority (Z7)",
    "zookeeper: session ends late (Z2)",
    "zookeeper: session over (Z2)",
    "zookeeper: slow (Z1)",
    "zookeeper: stale read (Z4)",
    "zookeeper: stale register (Z4)",
    "zookeeper: watch not told (Z4)",
];

/// What must have happened at all, in whatever phase: its moments are too few for each.
pub const MOMENTS: [&str; 24] = [
    "agent: attributes changed (M11)",
    "agent: clock skewed (A7)",
    "agent: flaps (A9)",
    "agent: its turn (A5)",
    "agent: partition one way (A4)",
    "format: somebody joined before it rose (U1)",
    "master: HEARTBEAT before SUBSCRIBED (M4)",
    "master: SUBSCRIBE forbidden (M6)",
    "master: answers RECONCILE with an old state (M13)",
    "master: framework removed (M6)",
    "master: second role (M11)",
    "nothing to place",
    "operator: a framework is adopted (Z6)",
    "operator: a new framework is made (Z6)",
    "store: damage refused (Z5)",
    "store: lost (Z6)",
    "store: old backup (Z6)",
    "store: torn entry",
    "store: write applied late",
    "store: write survived crash",
    "task: bad image (O3)",
    "task: its port is taken (T6)",
    "task: no space for it (A8)",
    "task: where nothing starts (A6)",
];

/// The phases that some app is in, as far as stored.
pub fn phases(stored: &Stored) -> Vec<&'static str> {
    let mut now: Vec<&'static str> =
        stored.apps().map(|app| phase(app.operation(), app.is_paused())).collect();
    now.sort_unstable();
    now.dedup();
    now
}

fn phase(operation: &str, paused: bool) -> &'static str {
    match operation {
        _ if paused => "paused",
        "creating" => "creating",
        "scaling_up" | "scaling_down" => "scaling",
        "updating" | "restarting" => "replacing",
        "rollbacking" => "rolling back",
        "stopping" | "starting" => "stopping or starting",
        "deleting" => "deleting",
        _ => "at rest",
    }
}

/// The marks that a batch has not met, in words.
pub fn missing(ledger: &Ledger) -> Vec<String> {
    let all = FAULTS.iter().flat_map(|&fault| PHASES.iter().map(move |&phase| (fault, phase)));
    let unmet = all.filter(|mark| !ledger.marks.contains_key(mark));
    let unmet = unmet.map(|(fault, phase)| format!("'{fault}' while an app is {phase}"));
    let moments = MOMENTS.iter().filter(|moment| !ledger.counts.contains_key(*moment));
    unmet.chain(moments.map(|moment| format!("'{moment}'"))).collect()
}
