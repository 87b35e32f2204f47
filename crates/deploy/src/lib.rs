//! Deploys templates: creates what SAM and CloudFormation templates describe, through Lambda's own API.
//!
//! Read in this order: [`template`] is what the file says; [`survey`] what of it is not made here; [`sam`] writes SAM's types out in
//! Lambda's own; [`resource`] knows the types there are; [`desired`] is what is to be there,
//! [`record`] what is; [`plan`] is the way from one to the other; [`engine`] goes it, by
//! [`live`], with [`packages`] of code, and keeps the record in the [`store`].
//!
//! Architecture invariant: everything up to the plan is pure. This is a client: what it needs of
//! a server it asks for over HTTP, as any other client would.

pub mod api;
pub mod desired;
pub mod engine;
mod hash;
pub mod live;
mod order;
pub mod packages;
pub mod plan;
pub mod record;
pub mod resource;
pub mod sam;
pub mod store;
pub mod survey;
pub mod template;
