//! Owns the comparison of runs at different times of day (S16).

use swan_sim::options::Options;
use swan_sim::world::World;

/// Runs a seed at two times of day; an error names the first step that differs. Planned outages are left out: operators
/// give them by the time of day (R68).
fn judge(seed: u64, options: &Options, shift_ms: u64) -> Result<(), String> {
    let mut options = options.clone();
    options.agent_faults.maintenance_every = 0;
    let outline = |shift_ms| {
        let mut world = World::new(seed, options.clone());
        world.shift_wall(shift_ms);
        world.keep_outline();
        world.run();
        world.take_outline()
    };
    match outline(0).differs(&outline(shift_ms)) {
        Some(step) => Err(format!("step {step} is another where the wall clock is {shift_ms} ms ahead")),
        None => Ok(()),
    }
}

#[test]
fn s16_the_time_of_day_decides_nothing() {
    for seed in 0..12 {
        let options = Options { settle_ms: 10 * 60_000, ..Options::swarm(seed, Some(2)) };
        assert_eq!(judge(seed, &options, 400 * 24 * 3_600_000), Ok(()), "seed {seed}");
    }
}
