//! Owns what is printed: tables for people, JSON for scripts, and nothing that steers a terminal.

use std::io::{ErrorKind, Write};

use comfy_table::{Table, presets};
use serde_json::Value;

use crate::failure::Failure;

/// Prints text as it is. Whoever reads no further ends the program, quietly.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::failed(format!("cannot write: {error}"))),
    }
}

/// Prints a document, indented.
pub(crate) fn json(document: &Value) -> Result<(), Failure> {
    text(&format!("{document:#}\n"))
}

/// A table for people; no cell can steer the terminal.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    let lines = table.to_string();
    lines.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// `text` with every control character shown instead of obeyed.
pub(crate) fn plain(text: &str) -> String {
    let harmful = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// A remark about a definition, after the place that it is about.
pub(crate) fn remark(path: &str, message: &str) -> String {
    let place = if path.is_empty() { String::new() } else { format!("{}: ", plain(path)) };
    format!("{place}{}", plain(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tasks_say_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\r\nc\u{202e}d"), "a\u{fffd}[31mb\u{fffd}\u{fffd}c\u{fffd}d");
        let shown = table(&["ID"], &[vec!["x\u{7}".to_owned()]]);
        assert_eq!(shown.lines().map(str::trim).collect::<Vec<_>>(), ["ID", "x\u{fffd}"]);
    }
}
