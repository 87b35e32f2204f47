//! Each arrow at both ends: what the caller's side sends, what the callee's side calls, and who may.

use std::sync::Arc;
use std::time::Duration;

use api::assignment::{self, Assign, Assignment, Lease, Lend, Provision, Report, Standing};
use api::counting::{self, Acquire, Counting, Permit};
use api::credentials::{self, Credentials, RoleCredentials};
use api::enrolment::{self, Enrolment, Issued, Renew};
use api::events::{self, Accept, Events, FunctionView, QueueView};
use api::invoke::{self, Invoke, Invoker, Outcome, Target};
use api::logs::{self, RecentLogs, Recents};
use api::membership::{self, Member, Membership, View};
use api::placement::{self, Heartbeat, Place, Placed, Placement, WorkerView};
use api::preparation::{self, Preparation, Prepare};
use api::requests::{self, Request, Requests, Response};
use async_trait::async_trait;
use records::functions::FunctionKey;
use tonic::Status;
use types::{FunctionArn, FunctionName, PermitId, ProcessId, Scope, Timestamp, WorkerId};

use crate::callers::{
    Caller, Refusal, own_certificate, own_member, own_process, own_reports, own_worker,
};
use crate::message::MESSAGE_BYTES_MAX;
use crate::route::{Allowance, Far};
use crate::served::{Rights, Served};
use types::Role;

/// What is answered from memory.
const PROMPT: Duration = Duration::from_secs(1);
/// What waits for a store.
const STORED: Duration = Duration::from_secs(25);
/// What waits for an environment to be created: code of 250 MB to unpack, and an init of ten seconds.
const CREATED: Duration = Duration::from_secs(150);
/// A request of a client: what waits for stores several times, and for code to be unpacked.
const ANSWERED: Duration = Duration::from_secs(180);
/// An invoke: 15 minutes, and what is around it.
const INVOKED: Duration = Duration::from_secs(1_000);

/// The longest request of a client that is no invoke, 70 MB, and what goes with it.
const REQUEST_BYTES_MAX: usize = 72 << 20;

/// Both ends of an arrow. For each method: its arguments, each with its type in the trait and in the
/// message; its answer, its deadline, its longest message if that is not the usual one, the roles that may call it, and
/// what else must be true of the caller. An argument that the trait takes by reference is marked `as ref`.
macro_rules! arrow {
    (
        $arrow:ident, $serve:ident, $module:ident, {
            $($method:ident ( $($argument:ident : $given:ty => $sent:ty $(as $by:tt)?),* ) -> $answer:ty,
                within $within:expr, $(up to $largest:expr,)?
                by [$($caller:ident),*] $(, if $allowed:expr)?;)*
        }
    ) => {
        #[async_trait]
        impl $arrow for Far<dyn $arrow> {
            $(
                async fn $method(&self, $($argument: $given),*)
                    -> Result<$answer, $module::Error>
                {
                    let path = concat!("/lambent.", stringify!($arrow), "/", stringify!($method));
                    let allowance = Allowance { within: $within, largest: arrow!(@largest $($largest)?) };
                    self.route.call(path, allowance, &($(arrow!(@sent $argument $(as $by)?),)*)).await
                }
            )*
        }

        impl Served {
            #[doc = concat!("Serves the arrow `", stringify!($arrow), "`.")]
            pub fn $serve(&mut self, near: Arc<dyn $arrow>) {
                $(
                    let callee = Arc::clone(&near);
                    self.method(
                        concat!("/lambent.", stringify!($arrow), "/", stringify!($method)),
                        Rights {
                            callers: &[$(Role::$caller),*],
                            largest: arrow!(@largest $($largest)?),
                        },
                        move |_caller: Caller, request: ($($sent,)*)| {
                            let callee = Arc::clone(&callee);
                            async move {
                                $(match $allowed(&_caller, &request) {
                                    Ok(()) => {}
                                    Err(Refusal::Answered(error)) => return Ok(Err(error)),
                                    Err(Refusal::Denied(why)) => {
                                        return Err(Status::permission_denied(why));
                                    }
                                })?
                                let ($($argument,)*) = request;
                                Ok(callee.$method($(arrow!(@given $argument $(as $by)?)),*).await)
                            }
                        },
                    );
                )*
                drop(near);
            }
        }
    };
    (@largest) => { MESSAGE_BYTES_MAX };
    (@largest $largest:expr) => { $largest };
    (@sent $argument:ident) => { &$argument };
    (@sent $argument:ident as ref) => { $argument };
    (@given $argument:ident) => { $argument };
    (@given $argument:ident as ref) => { &$argument };
}

arrow!(Counting, counting, counting, {
    acquire(request: Acquire => Acquire) -> Permit, within PROMPT, by [Frontend];
    release(
        scope: Scope => Scope,
        permits: Vec<PermitId> => Vec<PermitId>
    ) -> (), within PROMPT, by [Frontend];
});

arrow!(Assignment, assignment, assignment, {
    lend(request: Lend => Lend) -> Option<Lease>, within PROMPT, by [Frontend];
    assign(request: Assign => Assign) -> Lease, within CREATED, by [Frontend];
    give_back(
        lease: Lease => Lease,
        function: FunctionKey => FunctionKey
    ) -> (), within PROMPT, by [Frontend];
    provision(wanted: Vec<Provision> => Vec<Provision>) -> Vec<Option<Standing>>, within PROMPT, by [Control];
    report(
        from: Option<WorkerId> => Option<WorkerId>,
        reports: Vec<Report> => Vec<Report>
    ) -> (), within PROMPT, by [Worker, Frontend], if own_reports;
});

arrow!(Membership, membership, membership, {
    announce(member: Member => Member) -> Arc<View>, within PROMPT, by [Worker], if own_member;
    leave(process: ProcessId => ProcessId) -> (), within PROMPT, by [Worker], if own_process;
});

arrow!(RecentLogs, recent_logs, logs, {
    recent(
        scope: &Scope => Scope as ref,
        group: &str => String as ref,
        since: Timestamp => Timestamp
    ) -> Recents, within PROMPT, by [Control];
});

arrow!(Enrolment, enrolment, enrolment, {
    renew(request: Renew => Renew) -> Issued, within STORED, by [
        Control, Identity, Frontend, Counting, Assignment, Placement, Worker, EventInvoke
    ], if own_certificate;
});

arrow!(Requests, requests, requests, {
    answer(request: Request => Request) -> Response, within ANSWERED, up to REQUEST_BYTES_MAX, by [Frontend];
});

arrow!(Placement, placement, placement, {
    place(request: Place => Place) -> Placed, within PROMPT, by [Assignment];
    heartbeat(heartbeat: Heartbeat => Heartbeat) -> (), within PROMPT, by [Worker], if own_worker;
    workers() -> Vec<WorkerView>, within PROMPT, by [Control];
});

arrow!(Preparation, preparation, preparation, {
    prepare(request: Prepare => Prepare) -> (), within CREATED, by [Control];
});

arrow!(RoleCredentials, credentials, credentials, {
    for_function(role: &str => String as ref, function: &FunctionArn => FunctionArn as ref) -> Credentials,
        within STORED, by [Assignment, EventInvoke];
    may(
        role: &str => String as ref,
        function: &FunctionArn => FunctionArn as ref,
        action: &str => String as ref,
        resource: &str => String as ref
    ) -> bool,
        within STORED, by [EventInvoke];
});

arrow!(Events, events, events, {
    accept(event: Accept => Accept) -> (), within STORED, by [Frontend, EventInvoke];
    queues() -> Vec<QueueView>, within STORED, by [Frontend, EventInvoke];
    function(scope: &Scope => Scope as ref, name: &FunctionName => FunctionName as ref) -> FunctionView,
        within STORED, by [Frontend, EventInvoke];
    redrive(scope: &Scope => Scope as ref, name: &FunctionName => FunctionName as ref) -> u64,
        within STORED, by [Frontend, EventInvoke];
});

arrow!(Invoker, invoker, invoke, {
    target(arn: &FunctionArn => FunctionArn as ref) -> Target, within STORED, by [EventInvoke];
    may_invoke(
        keys: &Credentials => Credentials as ref,
        arn: &FunctionArn => FunctionArn as ref
    ) -> (), within STORED, by [EventInvoke];
    invoke(invoke: Invoke => Invoke) -> Outcome, within INVOKED, by [EventInvoke];
});
