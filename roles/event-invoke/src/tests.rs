//! The whole role over stores in memory, by a clock that tokio moves on when nothing is left to do: hours
//! pass in milliseconds. Functions and the services that outcomes go to are scripted.

mod bounds;
mod functions;
mod hanging;
mod members;
mod outcomes;
mod process;
mod queues;
mod schedule;
mod services;
mod telling;
mod world;
