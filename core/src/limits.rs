//! Owns every limit, in one place, each with its unit in its name.

use crate::time::Millis;

/// An app's stored definition.
pub const SPEC_BYTES_MAX: usize = 256 * 1024;
/// Nesting of a JSON document.
pub const JSON_DEPTH_MAX: usize = 64;
/// Instances of one app.
pub const INSTANCES_MAX: u32 = 50_000;
/// Apps of a cluster.
pub const APPS_MAX: usize = 20_000;
/// Versions kept of an app; the oldest unused goes first.
pub const VERSIONS_MAX: usize = 25;
/// Port mappings of an app.
pub const PORTS_MAX: usize = 64;
/// Bytes of all environment names and values of an app.
pub const ENV_BYTES_MAX: usize = 128 * 1024;
/// Labels of an app.
pub const LABELS_MAX: usize = 64;
/// Bytes of a label's key.
pub const LABEL_KEY_BYTES_MAX: usize = 253;
/// Bytes of a label's value.
pub const LABEL_VALUE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a selector of apps.
pub const SELECTOR_BYTES_MAX: usize = 4 * 1024;
/// Requirements of one selector.
pub const SELECTOR_REQUIREMENTS_MAX: usize = 64;
/// Values that a selector names for one key.
pub const SELECTOR_VALUES_MAX: usize = 256;
/// Apps that one read of a filtered listing looks at.
pub const APPS_SCANNED_PER_READ: usize = 1024;
/// Bytes of an app's dotted id, so that a task id stays below Mesos's 255 (R33).
pub const DOTTED_ID_BYTES_MAX: usize = 200;
/// Problems, and warnings, told of one document.
pub const PROBLEMS_MAX: usize = 100;
/// CPUs, MiB of memory and MiB of disk of one task, each in thousandths.
pub const RESOURCE_THOUSANDTHS_MAX: u64 = 1_000_000_000_000;
/// Any span in an app's definition, in seconds: ten years.
pub const SECONDS_MAX: u64 = 10 * 365 * 24 * 3600;
/// The factor by which a pause after failures grows, in thousandths.
pub const BACKOFF_FACTOR_THOUSANDTHS_MAX: u64 = 1_000_000;
/// Bytes of an image's name.
pub const IMAGE_BYTES_MAX: usize = 512;
/// Characters of a URI to fetch.
pub const URI_CHARS_MAX: usize = 1024;
/// Bytes of an app's path as it is written, before `..` and the like are resolved.
pub const ID_BYTES_MAX: usize = 1024;
/// Failures in a row that a health check may forgive.
pub const HEALTH_FAILURES_MAX: u64 = 1_000_000;
/// GPUs of one task.
pub const GPUS_MAX: u32 = 1_000;
/// Errors of a slot within the window of its failover policy that may be answered by new tasks.
pub const FAILOVER_RETRIES_MAX: u32 = 1_000_000;
/// Retries that are counted; more than that means any number.
pub const RETRIES_COUNTED_MAX: u32 = 100;
/// Failures kept of one slot.
pub const FAILURES_PER_SLOT_MAX: u32 = 50;
/// States, reasons or ranges of exit codes in one pattern of a failover policy.
pub const END_PATTERN_MAX: usize = 64;
/// Failures of new tasks that a rollout may forgive.
pub const ROLLOUT_FAILURES_MAX: u32 = 1_000_000;
/// A weight of placement, and the negative of the least.
pub const WEIGHT_MAX: i16 = 1_000;
/// The number that a port without any gets in a container that has an address of its own; further ones count up.
pub const UNMAPPED_PORT_FIRST: u16 = 10_000;
/// Bytes of a file of definitions, such as a group of apps.
pub const DEFINITIONS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Apps in a file of definitions.
pub const DEFINITIONS_MAX: usize = APPS_MAX;
/// Placement rules and preferences of an app.
pub const CONSTRAINTS_MAX: usize = 64;
/// Bytes of one placement rule, in its text form.
pub const CONSTRAINT_BYTES_MAX: usize = 4 * 1024;
/// Nesting of NOT and parentheses in a placement rule.
pub const CONSTRAINT_DEPTH_MAX: usize = 32;
/// Single tests in the text of a placement rule.
pub const CONSTRAINT_TESTS_MAX: usize = 256;
/// Weight of a preference, and of a dislike with the sign reversed.
pub const CONSTRAINT_WEIGHT_MAX: u16 = 1000;
/// Bytes of a compiled regular expression, and of what its matching remembers.
pub const REGEX_BYTES_MAX: usize = 128 * 1024;
/// Nesting of a regular expression.
pub const REGEX_DEPTH_MAX: u32 = 64;
/// Bytes of a status message that are kept.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a failure's message that are kept in the history of a slot.
pub const FAILURE_MESSAGE_BYTES_MAX: usize = 1024;
/// Errors of new tasks that a rollout bears, if that is more than a tenth of the instances.
pub const ROLLOUT_FAILURES_DEFAULT: u32 = 3;
/// Ended rollouts kept of an app.
pub const ROLLOUTS_KEPT: usize = 10;
/// Bytes of an idempotency key.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// Idempotency keys remembered.
pub const IDEMPOTENCY_KEYS_MAX: usize = 10_000;
/// How long an idempotency key is remembered.
pub const IDEMPOTENCY_LIFETIME: Millis = Millis::from_secs(24 * 3600);
/// Unknown tasks remembered.
pub const QUARANTINE_MAX: usize = 10_000;
/// Superseded tasks remembered.
pub const FORMER_TASKS_MAX: usize = 100_000;
/// How long a superseded task that never reports again is remembered.
pub const FORMER_LIFETIME: Millis = Millis::from_secs(14 * 24 * 3600);
/// Records that were not understood, named for people.
pub const UNREADABLE_NAMED_MAX: usize = 16;
/// Crash notes kept by a shell.
pub const CRASH_NOTES_MAX: usize = 16;

/// Bytes of one record.
pub const RECORD_BYTES_MAX: usize = 384 * 1024;
/// Changes in one batch.
pub const BATCH_OPS_MAX: usize = 2048;
/// Bytes of the changes in one batch; a single larger record travels alone.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Batches handed to the journal and not yet durable.
pub const BATCHES_IN_FLIGHT_MAX: usize = 8;

/// Placements decided in one step.
pub const PLACEMENTS_PER_STEP: usize = 1024;
/// Apps that a purge deletes in one step.
pub const PURGES_PER_STEP: usize = 16;
/// Apps planned in one step.
pub const PLANS_PER_STEP: usize = 64;
/// Slots touched by the plan of one app in one step.
pub const SLOTS_PER_PLAN: usize = 1024;
/// Timers fired in one step.
pub const TIMERS_PER_STEP: usize = 256;
/// Tasks of one class placed in one turn, and the least offers filled at the same time, when more waits than one step
/// places.
pub const CLASS_TURN: usize = 8;
/// Keys of agents that rules count by, before those in use are sorted out again.
pub const GROUP_COLUMNS_MAX: usize = 256;
/// Most offers filled at the same time where rules count, so that there are some of most racks.
pub const FILLING_MAX: usize = 64;
/// Values under one key whose tasks are counted in a list: enough for racks and zones, and little for hosts.
pub const SMALL_GROUPS_MAX: usize = 256;
/// Offers looked at in one step, over all placements.
pub const LOOKS_PER_STEP: usize = 32 * 1024;
/// New offers that a step compares with each class at a glance.
pub const FRESH_OFFERS_MAX: usize = 64;
/// Agents that one placement compares where the first that suits is not the best: with preferences or weights.
pub const CANDIDATES_RANKED: usize = 64;
/// Agents that one placement looks at before it takes the best of them.
pub const CANDIDATES_PER_PLACEMENT: usize = 16;
/// Agents that one placement looks at in search of one that fits.
pub const SCANNED_PER_PLACEMENT: usize = 1024;
/// Slots that one step of reconciliation looks at.
pub const RECONCILE_SCAN: usize = 8192;
/// Tasks in one RECONCILE (R43).
pub const RECONCILE_TASKS_MAX: usize = 1000;
/// Tasks in one ACCEPT.
pub const LAUNCHES_PER_ACCEPT_MAX: usize = 512;

/// Agents remembered that have neither tasks nor offers.
pub const AGENTS_IDLE_MAX: usize = 50_000;
/// How long such an agent is remembered after its last offer.
pub const AGENT_LIFETIME: Millis = Millis::from_secs(30 * 60);
/// Such agents looked at, and perhaps forgotten, whenever offers arrive.
pub const AGENTS_SWEPT_PER_STEP: usize = 64;
/// An agent on which an app's task failed is avoided by it for so long beyond the back-off; doubles up to the maximum.
pub const AVOID_FIRST: Millis = Millis(5_000);
/// Longest span for which an agent is avoided.
pub const AVOID_MAX: Millis = Millis::from_secs(600);
/// Agents that one app avoids; the oldest is forgiven first.
pub const AVOIDED_AGENTS_MAX: usize = 32;
/// An agent is avoided by all once tasks of so many apps failed there, each within [`BLACK_HOLE_WINDOW`].
pub const BLACK_HOLE_APPS: usize = 3;
/// See [`BLACK_HOLE_APPS`]: from start to failure, from the first failure to the last, and the first span of avoidance.
pub const BLACK_HOLE_WINDOW: Millis = Millis::from_secs(60);
/// Failures remembered of one agent.
pub const BLACK_HOLE_FAILURES_MAX: usize = 8;
/// Nothing is placed on an agent whose planned outage begins within this span (R68).
pub const MAINTENANCE_HORIZON: Millis = Millis::from_secs(3600);
/// Filter on inverse offers of agents with tasks.
pub const INVERSE_OFFER_REFUSE: Millis = Millis::from_secs(60);
/// Tasks leave an agent for so long after Mesos asked for it last: it asks again whenever a filter is over.
pub const ASKED_LASTS: Millis = Millis::from_secs(3 * 60);
/// Between two looks at apps with tasks that shall leave their agents, when nothing else happens.
pub const MOVES_PAUSE: Millis = Millis::from_secs(60);
/// Apps told in one step which of their tasks shall leave an agent.
pub const APPS_ASKED_PER_STEP: u32 = 1024;
/// What found no room for so long, while others did, has an agent kept free for it (R66).
pub const CLAIM_AFTER: Millis = Millis::from_secs(60);
/// How long an agent is kept free for one app.
pub const CLAIM_LIFETIME: Millis = Millis::from_secs(300);
/// Apps that may have an agent kept free for them, and agents that one of them tries in turn.
pub const CLAIMS_MAX: usize = 8;

/// Agents that one explanation or forecast looks at.
pub const EXPLAINED_AGENTS_MAX: usize = 5_000;
/// Tasks that one explanation tells of.
pub const EXPLAINED_TASKS_MAX: usize = 1_000;

/// How long an offer is held when work waits that it does not suit (R65).
pub const OFFER_HOLD: Millis = Millis(2_000);
/// Filter on declined offers while work waits.
pub const REFUSE_BUSY: Millis = Millis(5_000);
/// Filter on declined offers while none does; a REVIVE removes it (R60).
pub const REFUSE_IDLE: Millis = Millis::from_secs(120);
/// At most one REVIVE per this span (R61).
pub const REVIVE_INTERVAL: Millis = Millis(2_000);
/// SUPPRESS and REVIVE are levels: asserted again after this span, since either may get lost (R62).
pub const REASSERT_INTERVAL: Millis = Millis::from_secs(30);
/// First retry of a KILL; doubles up to the maximum (R85).
pub const KILL_RETRY: Millis = Millis(5_000);
/// Largest span between KILLs of one task.
pub const KILL_RETRY_MAX: Millis = Millis::from_secs(120);
/// A task that was told to end and is still there after this long is said to be stuck (R86).
pub const KILL_STUCK: Millis = Millis::from_secs(10 * 60);
/// A launched task that says nothing for this long is asked after by itself (R32).
pub const STAGING_ASK: Millis = Millis::from_secs(60);
/// A launched task that is still not running after this long is given up and killed (R86).
pub const STAGING_DEADLINE: Millis = Millis::from_secs(30 * 60);
/// A task that nobody can reach is replaced after this span at the earliest, so that a wave of losses is seen as one (R54).
pub const LOSS_SETTLE: Millis = Millis(2_000);
/// A task that a master knows nothing of is replaced after this span at the earliest: one that has just begun knows nothing
/// of tasks whose agents have not come back to it yet (R46).
pub const UNKNOWN_SETTLE: Millis = Millis::from_secs(60);
/// The span within which replacements of tasks that cannot be reached are counted (R57).
pub const WAVE_WINDOW: Millis = Millis::from_secs(60);
/// So many of all apps within a span, be the cluster as small as it may.
pub const WAVE_MIN: u64 = 50;
/// So many of all apps within a span, of all tasks, in percent.
pub const WAVE_PERCENT: u64 = 5;
/// So many of one app within a span, be it as small as it may.
pub const WAVE_APP_MIN: u64 = 10;
/// So many of one app within a span, of its instances, in percent.
pub const WAVE_APP_PERCENT: u64 = 25;
/// Until a replacement that had no room is looked at again.
pub const WAVE_PAUSE: Millis = Millis::from_secs(10);
/// Agents that must be lost within [`BRAKE_WINDOW`] for the disaster brake to engage (R54).
pub const BRAKE_AGENTS_MIN: usize = 3;
/// Tasks that must be lost with them: a handful says nothing about the network.
pub const BRAKE_TASKS_MIN: u32 = 10;
/// Tasks that must be lost with them, of all tasks, in percent.
pub const BRAKE_TASKS_PERCENT: u64 = 20;
/// A loss this long ago says nothing about the network any more.
pub const BRAKE_WINDOW: Millis = Millis::from_secs(4 * 60);
/// While the brake holds, what it holds back is looked at again after this span.
pub const BRAKE_PAUSE: Millis = Millis::from_secs(10);
/// Time between an explicit batch of reconciliation and the next (R43).
pub const RECONCILE_SPACING: Millis = Millis(100);
/// First repetition of an explicit reconciliation for tasks not answered; doubles up to the maximum (R41).
pub const RECONCILE_RETRY: Millis = Millis(5_000);
/// Largest span between repetitions.
pub const RECONCILE_RETRY_MAX: Millis = Millis::from_secs(300);
/// An implicit reconciliation runs this often (R43).
pub const RECONCILE_IMPLICIT: Millis = Millis::from_secs(15 * 60);
/// A task must run this long before its earlier failures are forgotten.
pub const STEADY_AFTER: Millis = Millis::from_secs(60);

/// How long Mesos keeps tasks of a manager that is away (R10).
pub const FAILOVER_TIMEOUT: Millis = Millis::from_secs(4 * 7 * 24 * 3600);

/// One record of RecordIO (R3).
pub const MESOS_RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Status and headers of a master's answer to a call.
pub const MESOS_ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;
/// The text in a master's answer to a call.
pub const MESOS_ANSWER_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Calls sent to a master and not yet answered (R18).
pub const MESOS_CALLS_IN_FLIGHT_MAX: usize = 1024;
/// Calls but acknowledgements that wait for one in flight to be answered; beyond it a call is dropped (R18). More than one
/// for each agent of the largest clusters: offers of all may be answered at once.
pub const MESOS_CALLS_QUEUED_MAX: usize = 128 * 1024;
/// Acknowledgements that wait so; beyond it one is dropped, and asked for again by the agent (R18). Some 50 MB.
pub const MESOS_ACKNOWLEDGEMENTS_QUEUED_MAX: usize = 256 * 1024;
/// A call not answered for this long is taken for lost, and the connection with it.
pub const MESOS_CALL_ANSWER: Millis = Millis::from_secs(30);
/// A SUBSCRIBE must lead to a subscription within this span.
pub const SUBSCRIBE_ANSWER: Millis = Millis::from_secs(15);
/// Heartbeat intervals without any data after which a stream is dead (R6).
pub const HEARTBEATS_MISSED_MAX: u64 = 5;
/// Heartbeat interval assumed until the master tells its own.
pub const HEARTBEAT_DEFAULT: Millis = Millis::from_secs(15);
/// First pause before subscribing again; doubles, with full jitter (R7).
pub const SUBSCRIBE_BACKOFF: Millis = Millis(250);
/// Largest pause before subscribing again.
pub const SUBSCRIBE_BACKOFF_MAX: Millis = Millis::from_secs(15);
/// A connection that lasted this long resets the pause.
pub const SUBSCRIBE_STABLE: Millis = Millis::from_secs(60);
/// Bytes of a master's list of all frameworks that are read.
pub const FRAMEWORKS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Frameworks of the same journal that are told apart (S14).
pub const PREDECESSORS_MAX: usize = 16;
/// Redirects followed in a row (R4).
pub const REDIRECTS_MAX: u32 = 3;

/// Bytes of one log entry; a batch or a single largest record must fit (R98).
pub const ENTRY_BYTES_MAX: usize = 512 * 1024;
/// Entries appended and not yet answered.
pub const APPENDS_IN_FLIGHT_MAX: usize = 4;
/// An append unanswered for this long is a stall.
pub const APPEND_STALL: Millis = Millis(2_000);
/// First pause before a storage operation is tried again; doubles up to the maximum.
pub const STORE_RETRY: Millis = Millis(50);
/// Largest pause between tries of a storage operation.
pub const STORE_RETRY_MAX: Millis = Millis(5_000);
/// Bytes of the log read at once.
pub const LOG_READ_BYTES: u64 = 1024 * 1024;
/// Changes followed at once.
pub const FOLLOW_OPS_MAX: usize = 2048;
/// A standby looks for new entries this often.
pub const TAIL_POLL: Millis = Millis(250);
/// Bytes of one snapshot chunk (R98).
pub const CHUNK_BYTES_MAX: usize = 512 * 1024;
/// A chunk of this size is closed even if more would fit, so that it can grow before it splits.
pub const CHUNK_BYTES_FILL: usize = 256 * 1024;
/// Neighbouring chunks are merged when they are together no larger than this.
pub const CHUNK_BYTES_MERGE: usize = 128 * 1024;
/// Bytes of records asked for at once while a snapshot is taken.
pub const RECORDS_ASK_BYTES: u64 = 64 * 1024;
/// A snapshot begins when the log to replay has this size, or half that of the last snapshot if that is more.
pub const SNAPSHOT_LOG_BYTES: u64 = 8 * 1024 * 1024;
/// A snapshot begins when the log to replay has this many entries.
pub const SNAPSHOT_LOG_ENTRIES: u64 = 16 * 1024;
/// The journal's format level rises once all managers have been able to read the next for so long: none of an older
/// release was just being started again, and one can go back until then.
pub const FORMAT_RAISE_AFTER: Millis = Millis::from_secs(600);
