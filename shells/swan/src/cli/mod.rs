//! Owns the client's commands: they speak to a manager's API, and show what it says to people or to scripts.

mod apps;
mod changes;
mod client;
mod follow;
mod framework;
mod leader;
mod output;
mod placement;
mod rollouts;
pub(crate) mod sse;
mod tasks;
mod validate;
mod wait;

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
        /// The compose app that it belongs to, for a definition in original Swan's form.
        #[arg(long, value_name = "NAME")]
        compose: Option<String>,
        /// Only say what it would do.
        #[arg(long, conflicts_with = "wait")]
        dry_run: bool,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Replace an app's definition from a JSON file.
    Update {
        /// The new definition; '-' reads standard input.
        file: PathBuf,
        /// The app's id or path, if not that of the definition.
        #[arg(long)]
        app: Option<String>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// List apps.
    List {
        /// Only apps with such labels, as 'tier=web,env in (a,b),!old'.
        #[arg(long, value_name = "SELECTOR")]
        labels: Option<String>,
        /// Only apps with such fields, as 'runAs==shop'; there are runAs, name and cluster.
        #[arg(long, value_name = "SELECTOR")]
        fields: Option<String>,
    },
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
        /// A static address, in place of those that it has; may be given more than once.
        #[arg(long, value_name = "ADDRESS")]
        ip: Vec<String>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Go back to an earlier version; the number of instances stays.
    Rollback {
        /// Its id or path.
        app: String,
        /// The version; without one, the newest earlier one of another configuration.
        #[arg(value_name = "VERSION")]
        to: Option<String>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Replace every task by one of the same configuration.
    Restart {
        /// Its id or path.
        app: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// End all tasks; the app stays.
    Stop {
        /// Its id or path.
        app: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Start a stopped app, and try again what was given up.
    Start {
        /// Its id or path.
        app: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Delete an app and end its tasks.
    Delete {
        /// Its id or path.
        app: String,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Check definitions without a manager: apps, lists of apps, and Marathon's groups.
    Validate {
        /// The files, each with any number of definitions; '-' reads standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// How to change an app.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Replace a change that is under way.
    #[arg(long)]
    pub(crate) force: bool,

    /// Only say what it would do.
    #[arg(long, conflicts_with = "wait")]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) wait: WaitArgs,
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
    /// List how tasks of an app have ended that nobody asked for.
    History {
        /// The app's id or path.
        app: String,
        /// Only those of this place.
        slot: Option<u32>,
    },
    /// End tasks; their places get new ones.
    Kill {
        /// Task ids, as '0a1b2c3d4e5f.0.web.shop', or places, as '0.web.shop'.
        #[arg(required_unless_present = "all_of")]
        tasks: Vec<String>,

        /// End all tasks of this app.
        #[arg(long, value_name = "APP", conflicts_with_all = ["tasks", "quarantined"])]
        all_of: Option<String>,

        /// The tasks are in quarantine: nothing takes their places.
        #[arg(long)]
        quarantined: bool,
    },
    /// List the tasks of this framework that Swan knows nothing of; they are left alone.
    Quarantined,
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct RolloutArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: RolloutCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// Show the change under way, or the last one.
    Show {
        /// The app's id or path.
        app: String,
    },
    /// List the changes that are remembered, newest first.
    List {
        /// The app's id or path.
        app: String,
    },
    /// Follow the change under way to its end; fail if it fails.
    Watch {
        /// The app's id or path.
        app: String,
    },
    /// Begin nothing new until it is resumed.
    Pause {
        /// The app's id or path.
        app: String,
    },
    /// Go on.
    Resume {
        /// The app's id or path.
        app: String,
    },
    /// Go back to the version before.
    Cancel {
        /// The app's id or path.
        app: String,
    },
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The app's id or path.
    pub(crate) app: String,
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: AgentCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// List the agents that Swan knows.
    List,
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct FrameworkArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: FrameworkCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FrameworkCommand {
    /// Show who Swan is for Mesos, and what is held if its journal was lost.
    Show,
    /// After the journal was lost: be this framework again. Its tasks are quarantined, and none is ended.
    Adopt {
        /// The framework's id, as 'show' lists it.
        id: String,
    },
    /// After the journal was lost: be a new framework. Tasks of those before run on, and Swan knows nothing of them.
    New,
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct BrakeArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: BrakeCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BrakeCommand {
    /// Replace what is lost in spite of the brake, until it would let go by itself.
    Override,
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct LeaderArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) command: LeaderCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LeaderCommand {
    /// Show all managers, and which of them leads.
    Show,
    /// Have the leader give leadership to another manager.
    Abdicate,
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

/// `swan rollout`.
pub(crate) fn rollout(arguments: RolloutArgs) -> Result<(), Failure> {
    with_client(&arguments.client, async |client| rollouts::run(client, arguments.command).await)
}

/// `swan explain`.
pub(crate) fn explain(arguments: ExplainArgs) -> Result<(), Failure> {
    with_client(&arguments.client, async |client| placement::explain(client, &arguments.app).await)
}

/// `swan agent`.
pub(crate) fn agent(arguments: AgentArgs) -> Result<(), Failure> {
    let AgentCommand::List = arguments.command;
    with_client(&arguments.client, placement::agents)
}

/// `swan leader`.
pub(crate) fn leader(arguments: LeaderArgs) -> Result<(), Failure> {
    with_client(&arguments.client, async |client| match arguments.command {
        LeaderCommand::Show => leader::show(client).await,
        LeaderCommand::Abdicate => leader::abdicate(client).await,
    })
}

/// `swan framework`.
pub(crate) fn framework(arguments: FrameworkArgs) -> Result<(), Failure> {
    with_client(&arguments.client, async |client| framework::run(client, arguments.command).await)
}

/// `swan brake`.
pub(crate) fn brake(arguments: BrakeArgs) -> Result<(), Failure> {
    let BrakeCommand::Override = arguments.command;
    with_client(&arguments.client, async |client| {
        client.send(reqwest::Method::POST, "/v1/brake/override", None).await?;
        if client.json {
            return output::json(&serde_json::json!({"brake": "overridden"}));
        }
        output::text("the brake is overridden\n")
    })
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
