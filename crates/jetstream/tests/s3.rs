//! A bucket keeps the promises of blobs. The store is moto's, from the environment of the end-to-end tests.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside the functions marked as tests"
)]

#[path = "support/moto.rs"]
mod moto;

use std::sync::Arc;

use jetstream::S3;
use moto::Moto;

struct Kept {
    store: S3,
    _moto: Arc<Moto>,
}

impl std::ops::Deref for Kept {
    type Target = S3;
    fn deref(&self) -> &S3 {
        &self.store
    }
}

fn blobs() -> Kept {
    let moto = Moto::shared();
    Kept {
        store: S3::open(&moto.bucket()).unwrap(),
        _moto: moto,
    }
}

storage::blobs_conformance!(blobs());
