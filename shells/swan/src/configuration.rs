//! Owns the layers of configuration: a flag goes before a variable, that before the file, that before the default.
//!
//! The file has a table for each command, `[manager]`, with the long flags as keys. What it says becomes the default
//! of the flag, so that a value is parsed and refused in one place, wherever it comes from.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Command};
use toml::{Table, Value};

use crate::failure::Failure;

/// The command line's shape with the file's values in it, if a file is named.
pub(crate) fn layered(command: Command, arguments: &[OsString]) -> Result<Command, Failure> {
    let Some(path) = file_named(arguments).or_else(|| std::env::var_os("SWAN_CONFIG").map(PathBuf::from))
    else {
        return Ok(command);
    };
    let fail = |message: String| Failure::usage(format!("configuration {}: {message}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|error| fail(error.to_string()))?;
    let tables: Table = text.parse().map_err(|error: toml::de::Error| fail(error.to_string()))?;
    apply(command, tables).map_err(fail)
}

fn file_named(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    None
}

fn apply(mut command: Command, tables: Table) -> Result<Command, String> {
    for (name, table) in tables {
        let Some(shape) = command.find_subcommand(&name) else {
            let known: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            return Err(format!("[{name}] is no command: the tables are [{}]", known.join("], [")));
        };
        let Value::Table(table) = table else { return Err(format!("'{name}' must be a table, [{name}]")) };
        let mut shape = shape.clone();
        for (key, value) in table {
            shape = set(shape, &name, &key, value)?;
        }
        command = command.mut_subcommand(name, |_| shape);
    }
    Ok(command)
}

fn set(shape: Command, table: &str, key: &str, value: Value) -> Result<Command, String> {
    let Some(argument) = shape.get_arguments().find(|argument| argument.get_long() == Some(key)) else {
        let known: Vec<_> = shape.get_arguments().filter_map(clap::Arg::get_long).collect();
        return Err(format!("[{table}] {key} is not known: its keys are {}", known.join(", ")));
    };
    let id = argument.get_id().clone();
    let values = match value {
        Value::Array(values) => values.into_iter().map(scalar).collect(),
        value => scalar(value).map(|text| vec![text]),
    };
    let mut values: Vec<String> = values.ok_or_else(|| {
        format!("[{table}] {key} must be text, a number, true or false, or a list of those")
    })?;
    if !matches!(argument.get_action(), ArgAction::Append) {
        values = vec![values.join(",")];
    }
    Ok(shape.mut_arg(id, |argument| argument.required(false).default_values(values)))
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::arguments::{Arguments, Command as Task, ManagerArgs};
    use crate::places::Mesos;

    const FILE: &str = r#"
        [manager]
        mesos = ["http://a:5050", "http://b:5050"]
        journal = "file:/data"
        listen = "127.0.0.1:1"
        insecure = true
    "#;

    fn manager(file: &str, line: &str) -> Result<ManagerArgs, String> {
        let command = apply(Arguments::command(), file.parse().expect("TOML"))?;
        let matches =
            command.try_get_matches_from(line.split_whitespace()).map_err(|error| error.to_string())?;
        match Arguments::from_arg_matches(&matches).map_err(|error| error.to_string())?.command {
            Task::Manager(manager) => Ok(*manager),
            _ => panic!("not a manager"),
        }
    }

    #[test]
    fn the_file_stands_in_for_flags_and_flags_go_before_it() {
        let from_file = manager(FILE, "swan manager").expect("good");
        let masters = |urls: &[&str]| Mesos::Masters(urls.iter().map(ToString::to_string).collect());
        assert_eq!(from_file.mesos, masters(&["http://a:5050", "http://b:5050"]));
        assert!(from_file.serving.insecure);
        let with_flags =
            manager(FILE, "swan manager --listen 127.0.0.1:2 --mesos http://c:5050").expect("good");
        assert_eq!(with_flags.serving.listen.port(), 2);
        assert_eq!(with_flags.mesos, masters(&["http://c:5050"]));
    }

    #[test]
    fn what_the_file_cannot_mean_is_refused_by_name() {
        for (file, part) in [
            ("[manger]", "[manger]"),
            ("manager = 1", "must be a table"),
            ("[manager]\nmezos = 1", "mezos"),
            ("[manager]\nlisten = 1.5", "listen"),
            ("[manager]\nmesos = \"http://a:5050\"\njournal = \"file:x\"\nlisten = \"nowhere\"", "listen"),
        ] {
            let error = manager(file, "swan manager").expect_err(file);
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_file_is_named_by_a_flag_in_either_form() {
        let named = |line: &str| file_named(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(named("swan --config a.toml dev"), Some("a.toml".into()));
        assert_eq!(named("swan dev --config=b.toml"), Some("b.toml".into()));
        assert_eq!(named("swan dev"), None);
    }
}
