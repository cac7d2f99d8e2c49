//! Owns the command line: every command, flag, variable and default.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use http::HeaderValue;
use swan_api::Tokens;
use swan_core::mesos::Attribute;

use crate::cli::{
    AgentArgs, AppArgs, BrakeArgs, EventsArgs, ExplainArgs, FrameworkArgs, LeaderArgs, RolloutArgs, TaskArgs,
    VersionArgs,
};
use crate::failure::Failure;
use crate::journal::JournalArgs;
use crate::places::{Journal, Mesos, ZooKeeperArgs, journal, mesos};
use crate::replay::ReplayArgs;
use crate::sim::SimArgs;

/// An application scheduler for Apache Mesos.
///
/// Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not found, 4 no manager answers, 5 busy: a change is
/// under way or the app has changed, 6 not authorized.
#[derive(Debug, Parser)]
#[command(name = "swan", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// A TOML file with a table for each command; a flag or SWAN_* variable goes before it.
    #[arg(long, global = true, env = "SWAN_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole product in one process, on an embedded Mesos cluster.
    Dev(Box<DevArgs>),
    /// Run a manager against a Mesos cluster.
    Manager(Box<ManagerArgs>),
    /// Create, look at and change apps.
    App(AppArgs),
    /// Look at and end tasks.
    Task(TaskArgs),
    /// Look at, check and copy journals.
    Journal(JournalArgs),
    /// Look at changes of apps, and steer the one under way.
    Rollout(RolloutArgs),
    /// Say why an app's tasks wait, or are where they are.
    Explain(ExplainArgs),
    /// Look at the agents of the cluster.
    Agent(AgentArgs),
    /// Look at the managers, and make the leader go.
    Leader(LeaderArgs),
    /// Look at who Swan is for Mesos, and decide it after the journal was lost.
    Framework(FrameworkArgs),
    /// Override the brake that holds when many agents are lost at once.
    Brake(BrakeArgs),
    /// Follow what happens.
    Events(EventsArgs),
    /// Print versions of this program and of the manager.
    Version(VersionArgs),
    /// Run simulated clusters that break everything.
    Sim(SimArgs),
    /// Replay a recording of a real Mesos master against the machines of a manager.
    ///
    /// Each recorded launch becomes an app of one instance, pinned to the agent that was used and posted just before its
    /// offer; each recorded KILL becomes a user's wish to end the task. Events are told in their order and time. What Swan does not do as the
    /// recorded client did is counted as a divergence, and is no fault.
    ///
    /// Exit codes: 0 every event was consumed, every uuid was acknowledged once the update was durable and nothing else
    /// was, each launched task ended as recorded, and no assertion fell; 1 otherwise, or if a file is no recording.
    Replay(ReplayArgs),
    /// Print a completion script.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// Where the API is served, and to whom.
#[derive(Debug, Args)]
pub(crate) struct ServingArgs {
    /// Where the API listens.
    #[arg(long, env = "SWAN_LISTEN", default_value = "127.0.0.1:9999", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,

    /// A file with a line 'name:token' for each caller; without it everyone may call.
    #[arg(long, env = "SWAN_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Let everyone call who can reach an address beyond loopback.
    #[arg(long, env = "SWAN_INSECURE")]
    pub(crate) insecure: bool,

    /// Let callers delete all apps at once, by 'POST /v1/purge'.
    #[arg(long, env = "SWAN_ALLOW_PURGE")]
    pub(crate) allow_purge: bool,
}

impl ServingArgs {
    /// How this manager asks others of its cluster for what needs a token: by the first one of the file, which they know
    /// too.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let text = std::fs::read_to_string(self.token_file.as_ref()?).ok()?;
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let token = lines.filter_map(|line| line.split_once(':')).map(|(_, token)| token).next()?;
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whom to let in. Refuses to open the API to a network without tokens, unless told to.
    pub(crate) fn tokens(&self) -> Result<Option<Tokens>, Failure> {
        let Some(path) = &self.token_file else {
            if self.listen.ip().to_canonical().is_loopback() || self.insecure {
                return Ok(None);
            }
            return Err(Failure::usage(format!(
                "--listen {} is reachable by others: give --token-file FILE, or --insecure to let everyone call",
                self.listen
            )));
        };
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("--token-file {name} cannot be read: {error}")))?;
        let tokens =
            Tokens::parse(&text).map_err(|error| Failure::usage(format!("--token-file {name}: {error}")))?;
        Ok(Some(tokens))
    }
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    pub(crate) serving: ServingArgs,

    /// Where the embedded Mesos master listens; port 0 takes any free one.
    #[arg(long, env = "SWAN_MESOS_LISTEN", default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub(crate) mesos_listen: SocketAddr,

    /// How many agents to emulate, on 127.0.0.2 and up.
    #[arg(long, env = "SWAN_AGENTS", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=200))]
    pub(crate) agents: u8,

    /// What agents are like, as rack:r1;size:4;disks:{hdd,ssd}: given once for each agent, in their order; those beyond
    /// have a rack of their own.
    #[arg(long, env = "SWAN_AGENT_ATTRIBUTES", value_delimiter = '\n', value_name = "ATTRIBUTES", value_parser = attributes)]
    pub(crate) agent_attributes: Vec<AgentAttributes>,

    /// GPUs of each agent.
    #[arg(long, env = "SWAN_AGENT_GPUS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub(crate) agent_gpus: u32,

    /// What tasks are: Docker containers, or small built-in HTTP servers.
    #[arg(long, env = "SWAN_EXECUTOR", default_value = "auto", value_enum)]
    pub(crate) executor: Executor,

    /// Where everything is kept [default: swan/dev in $XDG_STATE_HOME or ~/.local/state].
    #[arg(long, env = "SWAN_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// What one agent of the embedded cluster is like.
#[derive(Clone, Debug)]
pub(crate) struct AgentAttributes(pub(crate) Vec<Attribute>);

fn attributes(text: &str) -> Result<AgentAttributes, String> {
    swan_devcluster::attributes::parse(text).map(AgentAttributes)
}

/// What a task of the embedded cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Executor {
    /// Docker where an engine answers, else built-in.
    Auto,
    /// A real container.
    Docker,
    /// A small HTTP server in this process.
    Builtin,
}

#[derive(Debug, Args)]
pub(crate) struct ManagerArgs {
    #[command(flatten)]
    pub(crate) serving: ServingArgs,

    /// The Mesos masters: URLs joined by commas, or where they tell ZooKeeper of themselves, as zk://h1:2181,h2:2181/mesos.
    #[arg(long, env = "SWAN_MESOS", value_name = "URLS", value_parser = mesos)]
    pub(crate) mesos: Mesos,

    /// Masters that are found in ZooKeeper speak TLS.
    #[arg(long, env = "SWAN_MESOS_TLS")]
    pub(crate) mesos_tls: bool,

    /// Where Swan's memory is kept: file:DIR, for one manager; or zk://h1:2181,h2:2181,h3:2181/swan, for any number that
    /// elect a leader.
    #[arg(long, env = "SWAN_JOURNAL", value_name = "PLACE", value_parser = journal)]
    pub(crate) journal: Journal,

    #[command(flatten)]
    pub(crate) zookeeper: ZooKeeperArgs,

    /// Where others reach the API [default: --listen].
    #[arg(long, env = "SWAN_ADVERTISE", value_name = "HOST:PORT")]
    pub(crate) advertise: Option<String>,

    /// The framework's name in Mesos.
    #[arg(long, env = "SWAN_FRAMEWORK_NAME", default_value = "swan", value_name = "NAME")]
    pub(crate) framework_name: String,

    /// Roles in Mesos; may be given more than once.
    #[arg(long, env = "SWAN_ROLE", default_value = "*", value_delimiter = ',', value_name = "ROLE")]
    pub(crate) role: Vec<String>,

    /// Who Swan is to a Mesos that asks.
    #[arg(long, env = "SWAN_PRINCIPAL", value_name = "NAME", requires = "secret_file")]
    pub(crate) principal: Option<String>,

    /// The principal's secret; what stands in the file, without a final line break.
    #[arg(long, env = "SWAN_SECRET_FILE", value_name = "FILE", requires = "principal")]
    pub(crate) secret_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_tree_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_manager_needs_masters_and_a_journal() {
        let line = "swan manager --mesos http://a:5050,https://b:5050/ --journal file:/var/lib/swan";
        let Command::Manager(manager) = parse(line).expect("good").command else { panic!("not a manager") };
        assert_eq!(manager.mesos, Mesos::Masters(vec!["http://a:5050".into(), "https://b:5050".into()]));
        assert_eq!(manager.journal, Journal::File("/var/lib/swan".into()));
        assert_eq!(manager.role, ["*"]);
        for bad in [
            "swan manager",
            "swan manager --mesos http://a:5050",
            "swan manager --mesos a:5050 --journal file:x",
            "swan manager --mesos http://a --journal file:x",
            "swan manager --mesos http://u:p@a:1/x --journal file:x",
            "swan manager --mesos http://a:5050 --journal zk:x",
            "swan manager --mesos zk://a:2181 --journal file:x",
            "swan manager --mesos http://a:5050 --journal file:x --zk-tls-cert c --zk-tls-key k",
            "swan manager --mesos http://a:5050 --journal file:x --zk-session-timeout 0",
            "swan manager --mesos http://a:5050 --journal file:x --principal p",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_manager_may_have_its_journal_and_its_masters_in_zookeeper() {
        let line =
            "swan manager --mesos zk://a:1,b:2/mesos --journal zk://a:1,b:2/swan --zk-session-timeout 9";
        let Command::Manager(manager) = parse(line).expect("good").command else { panic!("not a manager") };
        assert_eq!(manager.mesos, Mesos::ZooKeeper("zk://a:1,b:2/mesos".parse().expect("good")));
        let Journal::ZooKeeper(address) = &manager.journal else { panic!("not in ZooKeeper") };
        let options = manager.zookeeper.options(address).expect("no files are read");
        assert_eq!(options.session_timeout, Duration::from_secs(9));
    }

    #[test]
    fn beyond_loopback_tokens_are_needed() {
        let serving = |line: &str| match parse(line).expect("good").command {
            Command::Dev(dev) => dev.serving.tokens().map(|tokens| tokens.is_some()),
            _ => panic!("not dev"),
        };
        assert!(serving("swan dev").is_ok_and(|tokens| !tokens));
        assert!(serving("swan dev --listen [::ffff:127.0.0.1]:0").is_ok());
        assert!(serving("swan dev --listen 0.0.0.0:9999").is_err());
        assert!(serving("swan dev --listen 0.0.0.0:9999 --insecure").is_ok());
        assert!(serving("swan dev --token-file /does/not/exist").is_err());
    }
}
