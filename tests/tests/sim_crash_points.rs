//! Owns the crash points: each scripted scenario, with the manager's process ended before every single effect of it.

use swan_sim::scenario::{ALL, Rest, Scenario, play};

fn scenario(name: &str) -> &'static Scenario {
    ALL.iter().find(|scenario| scenario.name == name).expect("scenarios are named here as there")
}

/// Nothing may be different but how often an executor hears KILL.
fn compare(whole: &Rest, cut: &Rest) -> Result<(), String> {
    let Rest { containers, records, started, killed, effects: _, crashes } = cut;
    if *crashes != 1 {
        return Err(format!("{crashes} crashes instead of one"));
    }
    if *containers != whole.containers {
        return Err(format!("containers: {containers:#?} instead of {:#?}", whole.containers));
    }
    if *records != whole.records {
        return Err(format!("records: {records:#?} instead of {:#?}", whole.records));
    }
    if *started != whole.started {
        return Err(format!("containers started by slot: {started:?} instead of {:?}", whole.started));
    }
    if *killed != whole.killed {
        return Err(format!("tasks killed by slot: {killed:?} instead of {:?}", whole.killed));
    }
    Ok(())
}

fn crash_everywhere(name: &str) {
    let scenario = scenario(name);
    let whole = play(scenario, 0, None).expect("the scenario without a crash");
    assert!(whole.effects > 20, "'{name}' does something");
    for effect in 1..=whole.effects {
        let cut = play(scenario, effect, Some(effect));
        let result = cut.and_then(|cut| compare(&whole, &cut));
        if let Err(why) = result {
            panic!("'{name}' with a crash before effect {effect} of {}: {why}", whole.effects);
        }
    }
}

macro_rules! crash_points {
    ($($test:ident $name:literal,)*) => {
        $(#[test]
        fn $test() {
            crash_everywhere($name);
        })*

        #[test]
        fn every_scenario_is_here() {
            let here = [$($name),*];
            assert!(ALL.iter().all(|scenario| here.contains(&scenario.name)));
        }
    };
}

crash_points! {
    deploy "deploy",
    scale_up "scale up",
    scale_down "scale down",
    update "update",
    kill "kill",
    failure "failure",
    delete "delete",
    reconnect "reconnect",
    rollback "rollback",
    restart "restart",
    stop_and_start "stop and start",
    give_up "give up",
}
