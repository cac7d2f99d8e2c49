//! Owns the golden scripts: the scheduler played through what can happen to it, one file a story, each readable as a
//! specification. A block is one or more commands, `----`, and what the machine did. `UPDATE=1` writes what it does now.

#[path = "scripts/commands.rs"]
mod commands;
#[path = "scripts/documents.rs"]
mod documents;
#[path = "scripts/explained.rs"]
mod explained;
#[path = "scripts/names.rs"]
mod names;
#[path = "scripts/offers.rs"]
mod offers;
#[path = "scripts/show.rs"]
mod show;
#[path = "scripts/stage.rs"]
mod stage;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use stage::Stage;

/// A block of a script: what stands before the commands, the commands, and the transcript.
#[derive(Default)]
struct Block {
    comments: Vec<String>,
    commands: Vec<String>,
    transcript: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

/// Blocks are separated by empty lines; lines that begin with `#` stand before a block's commands.
fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for paragraph in text.split("\n\n").map(|p| p.trim_matches('\n')).filter(|p| !p.is_empty()) {
        let mut block = Block::default();
        let (head, transcript) = paragraph.split_once("\n----").unwrap_or((paragraph, ""));
        for line in head.lines() {
            if line.starts_with('#') {
                block.comments.push(line.into());
            } else {
                block.commands.push(line.into());
            }
        }
        block.transcript = transcript.trim_matches('\n').lines().map(String::from).collect();
        blocks.push(block);
    }
    blocks
}

/// Plays a script from the beginning; gives it with what the machine did.
fn play(text: &str) -> String {
    let mut stage = Stage::default();
    let mut played = String::new();
    for (at, block) in parse(text).iter().enumerate() {
        if at > 0 {
            played.push('\n');
        }
        for line in block.comments.iter().chain(&block.commands) {
            writeln!(played, "{line}").expect("a string takes all");
        }
        if block.commands.is_empty() {
            continue;
        }
        writeln!(played, "----").expect("a string takes all");
        for command in &block.commands {
            commands::perform(&mut stage, command);
        }
        for line in stage.transcript() {
            writeln!(played, "{line}").expect("a string takes all");
        }
    }
    played
}

fn check(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let written = std::fs::read_to_string(&path).expect("the script can be read");
    let played = play(&written);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(&path, played).expect("the script can be written");
        return;
    }
    let (mut left, mut right) = (written.lines(), played.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (left.next(), right.next()) {
            (None, None) => return,
            (wanted, got) if wanted == got => {}
            (wanted, got) => panic!(
                "tests/scripts/{name}.txt:{number}\n  written: {}\n  played:  {}\nUPDATE=1 writes what is played",
                wanted.unwrap_or("(end)"),
                got.unwrap_or("(end)")
            ),
        }
    }
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*

        #[test]
        fn every_script_is_played() {
            let listed = [$(stringify!($name)),*];
            for entry in std::fs::read_dir(folder()).expect("the scripts have a folder") {
                let path = entry.expect("the folder can be read").path();
                if path.extension().is_some_and(|extension| extension == "txt") {
                    let name = path.file_stem().and_then(|name| name.to_str()).expect("a plain name");
                    assert!(listed.contains(&name), "{name}.txt is not in the list of scripts.rs");
                }
            }
        }
    };
}

scripts! {
    agents
    auto_rollback
    avoid
    brake
    brake_delete
    brake_ended
    brake_growth
    brake_kill
    brake_makes_way
    brake_rollouts
    brake_successor
    brake_superseded
    coalesce
    constraints
    crash
    crash_notes
    delete
    deploy
    disconnect
    exhausted_rollback
    explain
    failed_beside
    failover
    failures
    force
    force_limits
    framework_id
    gate
    given_up_rollback
    health
    idempotency
    inherited
    unheard
    ignored_ends
    keeps_trying
    kill
    kill_unlaunched
    lease
    levels
    long_message
    maintenance
    min_healthy
    moves
    moves_and_rollout
    moves_scaled
    not_leading
    odd
    oldest_first
    one_by_one
    pause
    ports
    quarantine
    reconcile
    reconcile_many
    reconcile_unknown
    refusals
    rescind
    restart
    roles
    rollback
    rolling
    scale
    scale_waiting
    silent
    stall
    start_undone
    starvation
    status_table
    strategies
    stuck
    superseded
    surplus_pair
    surge
    swap
    unplaceable
    unreachable
    update
    wave
}
