//! Owns the client's commands: they speak to a manager's API, and show what it says to people or to scripts.

mod apps;
mod client;
mod follow;
mod output;
mod sse;
mod tasks;
mod validate;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Subcommand};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Failure;
use client::Client;

/// Which manager to speak to, and how to show what it says.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// The manager's API.
    #[arg(
        long,
        global = true,
        env = "SWAN_SERVER",
        default_value = "http://127.0.0.1:9999",
        value_name = "URL"
    )]
    pub(crate) server: String,

    /// A file whose first line is the token, alone or as 'name:token'.
    #[arg(long, global = true, env = "SWAN_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Print JSON, for scripts.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct AppArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: AppCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Create an app from a JSON file.
    Create {
        /// The app's definition; '-' reads standard input.
        file: PathBuf,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// List all apps.
    List,
    /// Show one app and its tasks.
    Show {
        /// Its id, as 'web.shop', or its path, as '/shop/web'.
        app: String,
    },
    /// Change the number of instances.
    Scale {
        /// Its id or path.
        app: String,
        /// How many there shall be.
        instances: u32,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Delete an app and end its tasks.
    Delete {
        /// Its id or path.
        app: String,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Check definitions without a manager: apps, lists of apps, and Marathon's groups.
    Validate {
        /// The files, each with any number of definitions; '-' reads standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Whether to stay until a change has come to its end.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct WaitArgs {
    /// Wait until the change is done; fail if it fails.
    #[arg(long)]
    pub(crate) wait: bool,

    /// How long to wait, in seconds.
    #[arg(long, default_value_t = 600, value_name = "SECONDS", requires = "wait")]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct TaskArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: TaskCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// List the tasks of an app.
    List {
        /// The app's id or path.
        app: String,
    },
    /// End tasks; their places get new ones.
    Kill {
        /// Task ids, as '0a1b2c3d4e5f.0.web.shop', or places, as '0.web.shop'.
        #[arg(required_unless_present = "all_of")]
        tasks: Vec<String>,

        /// End all tasks of this app.
        #[arg(long, value_name = "APP", conflicts_with = "tasks")]
        all_of: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,

    /// Only events of this app; may be given more than once.
    #[arg(long, value_name = "APP")]
    pub(crate) app: Vec<String>,

    /// Only events of this type, as 'task_changed'; may be given more than once.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Vec<String>,

    /// Begin after the event with this id.
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `swan app`.
pub(crate) fn app(arguments: AppArgs) -> Result<(), Failure> {
    if let AppCommand::Validate { files } = &arguments.command {
        return validate::run(files, arguments.client.json);
    }
    with_client(&arguments.client, async |client| apps::run(client, arguments.command).await)
}

/// `swan task`.
pub(crate) fn task(arguments: TaskArgs) -> Result<(), Failure> {
    with_client(&arguments.client, async |client| tasks::run(client, arguments.command).await)
}

/// `swan events`: until it is interrupted.
pub(crate) fn events(arguments: EventsArgs) -> Result<(), Failure> {
    let EventsArgs { client, app, kind, after } = arguments;
    with_client(&client, async |client| follow::run(client, &app, &kind, after).await)
}

/// `swan version`: this program's, and the manager's if one answers.
pub(crate) fn version(arguments: VersionArgs) -> Result<(), Failure> {
    with_client(&arguments.client, async |client| {
        let manager = client.document("/v1/version").await;
        if client.json {
            let document = serde_json::json!({"client": env!("CARGO_PKG_VERSION"), "manager": manager.ok()});
            return output::json(&document);
        }
        let said = match &manager {
            Ok(document) => document["version"].as_str().unwrap_or("unknown").to_owned(),
            Err(failure) => format!("no answer ({failure})"),
        };
        output::text(&format!("client   {}\nmanager  {}\n", env!("CARGO_PKG_VERSION"), output::plain(&said)))
    })
}

/// `swan completions`.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "swan", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}

fn with_client(
    arguments: &ClientArgs,
    run: impl AsyncFnOnce(&Client) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let client = Client::new(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(run(&client))
}
