//! Lambent: the system behind AWS Lambda, as one binary with roles.
//!
//! Read in this order: [`cli`] is what can be said on the command line; [`config`] what can be set;
//! [`process`] puts the roles together; [`front_door`] takes requests to them, all but invokes by way of
//! [`dispatch`]; [`commands`], [`function_logs`], [`events`], [`fleet`] and [`deploy`] are for people at a terminal, to whom [`terminal`] prints: clients of a server that
//! [`access`] finds and [`client`] speaks to.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod access;
mod admin;
mod cli;
mod client;
mod cluster;
mod commands;
mod config;
mod data_dir;
mod demo;
mod deploy;
mod dispatch;
mod events;
mod fleet;
mod front_door;
mod function_logs;
mod packages;
mod process;
mod profiles;
mod roots;
mod routes;
mod secret;
mod services;
mod telemetry;
mod terminal;
mod unpacker;
mod versions;
mod workers;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    sandbox::become_spawner_if_asked();
    sandbox::become_confined_if_asked(image::work);
    // Access keys and functions' secrets are in its memory.
    if let Err(error) = sandbox::keep_secrets() {
        terminal::complain!("lambent: {error}");
        return ExitCode::FAILURE;
    }
    let arguments = cli::Arguments::parse();
    let outcome = match arguments.command {
        cli::Command::Up(options) => process::up(&options),
        cli::Command::Run(options) => process::run(&options),
        cli::Command::Invoke(options) => commands::invoke(&options),
        cli::Command::Functions(options) => commands::functions(&options),
        cli::Command::Env(options) => commands::env(&options),
        cli::Command::Queues(options) => events::queues(&options),
        cli::Command::Events(options) => events::events(&options),
        cli::Command::Workers(options) => fleet::workers(&options),
        cli::Command::Drain(options) => fleet::drain(&options),
        cli::Command::Logs(options) => function_logs::logs(&options),
        cli::Command::Deploy(options) => deploy::deploy(&options),
        cli::Command::Delete(options) => deploy::delete(&options),
        cli::Command::Stacks(options) => deploy::stacks(&options),
        cli::Command::Secret(options) => secret::secret(&options),
        cli::Command::Cluster(options) => cluster::cluster(&options),
    };
    match outcome {
        Ok(code) => terminal::ended(code),
        Err(error) => {
            terminal::complain!("lambent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit};

    #[test]
    fn a_crash_leaves_no_core() {
        sandbox::keep_secrets().unwrap();
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
        // The one limit at which the kernel does not start a program that takes dumps either.
        let (current, maximum) = (Some(1), Some(1));
        assert_eq!(getrlimit(Resource::Core), Rlimit { current, maximum });
    }
}
