//! The command line.

mod backup;
mod cluster;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use backup::{Backup, Restore};
pub(crate) use cluster::{Cluster, ClusterAction, Demo, Host, Init, Join, Revoke, Stores, Token};

/// The system behind AWS Lambda, open and self-hosted.
///
/// `lambent up` starts it; any AWS client then works against it by its endpoint URL.
#[derive(Parser, Debug)]
#[command(name = "lambent", version, about, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Start the whole system on this machine and serve until SIGTERM or SIGINT.
    Up(Up),
    /// Run some roles of a cluster on this machine and serve until SIGTERM or SIGINT.
    Run(Run),
    /// Invoke a function and print its result.
    Invoke(Invoke),
    /// List the functions.
    Functions(Client),
    /// Print the shell commands that point AWS clients to this server.
    Env(Client),
    /// List the queues of asynchronous invokes and their sizes.
    Queues(Queues),
    /// Show a function's pending and failed events.
    Events(Events),
    /// List the workers: where functions run, and how full each is.
    Workers(Workers),
    /// Empty a host of a cluster: its workers take no new environments, and what they have goes elsewhere.
    Drain(Drain),
    /// Print a function's log.
    Logs(Logs),
    /// Deploy a SAM or CloudFormation template: create or update its stack.
    Deploy(Deploy),
    /// Delete a stack with all its resources.
    Delete(Delete),
    /// List the stacks.
    Stacks(Client),
    /// Change the master key of a data folder, while its server runs or not.
    Secret(Secret),
    /// Make a cluster, let hosts join it, revoke them, back it up and restore it.
    Cluster(Cluster),
}

#[derive(Args, Debug)]
pub(crate) struct Secret {
    #[command(subcommand)]
    pub(crate) action: SecretAction,
}

#[derive(Subcommand, Debug)]
pub(crate) enum SecretAction {
    /// Make a new master key. It seals and signs from now on; sessions of before stay valid.
    Rotate(Folder),
    /// Remove all master keys but the newest. Sessions that they have sealed end.
    Retire(Retire),
}

#[derive(Args, Debug)]
pub(crate) struct Folder {
    /// The data folder [env: LAMBENT_DATA_DIR; default: ./lambent-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Retire {
    /// Do not wait until the last session has expired, 36 hours after the rotation.
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) folder: Folder,
}

/// Options of `up`. They override the configuration file and `LAMBENT_…` variables.
#[derive(Args, Debug)]
pub(crate) struct Up {
    /// Where to serve the AWS APIs; port 0 takes a free one [default: 127.0.0.1:9100].
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// Where everything is kept [default: ./lambent-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The configuration, TOML.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Start with databases that are older than when they were last used, empty or not this server's: what they
    /// lack is lost. Needed for a backup of a single file, not for one of the whole folder.
    #[arg(long)]
    pub(crate) accept_older_data: bool,
}

/// Options of `run`.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// What this process is: control, identity, frontend, counting, assignment, placement, worker, event-invoke
    /// [default: cluster.roles].
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    pub(crate) roles: Vec<String>,
    /// The availability zone in which this host is; refused if its certificate says another.
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    #[command(flatten)]
    pub(crate) up: Up,
}

/// How commands reach a running server.
#[derive(Args, Debug, Default)]
pub(crate) struct Client {
    /// The server's address [env: AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL; default: the profile's, http://127.0.0.1:9100].
    #[arg(long, alias = "endpoint-url", value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// A profile in ~/.aws/credentials and ~/.aws/config [env: AWS_PROFILE].
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The server's data folder, which has the root key; AWS_ACCESS_KEY_ID and similar variables override it
    /// [env: LAMBENT_DATA_DIR; default: ./lambent-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The region [env: AWS_REGION, AWS_DEFAULT_REGION; default: the profile's, us-east-1].
    #[arg(long)]
    pub(crate) region: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Invoke {
    /// The function: a name, `name:alias`, or an ARN.
    pub(crate) function: String,
    /// The event, JSON; `@FILE` reads it from a file, `-` from standard input.
    #[arg(long, short, default_value = "{}")]
    pub(crate) payload: String,
    /// Also print the end of the invoke's log, on standard error.
    #[arg(long)]
    pub(crate) tail: bool,
    /// Invoke it asynchronously, without waiting for a result; prints the request id.
    #[arg(long, conflicts_with = "tail")]
    pub(crate) event: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Debug)]
pub(crate) struct Queues {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Debug)]
pub(crate) struct Workers {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Debug)]
pub(crate) struct Drain {
    /// The host, as `lambent workers` names it.
    pub(crate) host: String,
    /// Let its workers take environments again.
    #[arg(long)]
    pub(crate) undo: bool,
    /// Do not wait until no environment is left.
    #[arg(long, conflicts_with = "undo")]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Debug)]
pub(crate) struct Events {
    /// The function: a name or an ARN.
    pub(crate) function: String,
    /// Send the failed events again.
    #[arg(long)]
    pub(crate) redrive: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// The function: a name or an ARN.
    pub(crate) function: String,
    /// Keep printing new events.
    #[arg(long, short)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Debug)]
pub(crate) struct Deploy {
    /// The template, YAML or JSON.
    #[arg(value_name = "TEMPLATE", default_value = "template.yaml")]
    pub(crate) template: PathBuf,
    /// The stack's name [default: the name of the template's folder].
    #[arg(long, value_name = "NAME")]
    pub(crate) stack_name: Option<String>,
    /// Values of parameters; a parameter that is not given keeps its last value.
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    pub(crate) parameter_overrides: Vec<String>,
    /// Leave out unsupported resources and properties, and list them.
    #[arg(long)]
    pub(crate) skip_unsupported: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Only show the plan; exit status 3 if there is something to do.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Args, Debug)]
pub(crate) struct Delete {
    /// The stack.
    #[arg(value_name = "STACK")]
    pub(crate) stack: String,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Only show the plan; exit status 3 if there is something to do.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) client: Client,
}
