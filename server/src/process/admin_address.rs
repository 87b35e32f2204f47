//! The operator's own address: fixed, so that it can be found, and no reason for a second server of the
//! machine not to start.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::admin::{self, Shown};
use crate::config::Admin;
use crate::front_door::{self, Bound};

/// The address that is used where the default address is taken.
const FREE: &str = "127.0.0.1:0";

/// Answers there, if it is configured, until what is returned is dropped.
pub(super) async fn serve(
    config: &Admin,
    shown: Shown,
) -> anyhow::Result<Option<AbortOnDropHandle<()>>> {
    let Some(admin) = AdminAddress::bind(config).await? else {
        return Ok(None);
    };
    let (listener, address) = admin.listen().await?;
    tracing::info!(%address, "metrics are served");
    let serving = tokio::spawn(admin::serve(listener, shown));
    Ok(Some(AbortOnDropHandle::new(serving)))
}

/// An address that is bound, and does not accept connections yet.
struct AdminAddress {
    bound: Bound,
    gives_way: bool,
}

impl AdminAddress {
    /// Binds the configured address; `None` if there is none. If the default address is taken, a free
    /// port is used instead, which the log names.
    async fn bind(config: &Admin) -> anyhow::Result<Option<Self>> {
        match config.listen.as_str() {
            "" => Ok(None),
            listen => Self::bind_to(listen, config.gives_way()).await.map(Some),
        }
    }

    async fn bind_to(listen: &str, gives_way: bool) -> anyhow::Result<Self> {
        let bound = match front_door::bind(listen).await {
            Err(error) if gives_way && is_taken(&error) => free(listen).await,
            bound => bound.context("admin.listen"),
        };
        Ok(Self {
            bound: bound?,
            gives_way,
        })
    }

    /// Starts to accept connections. Another server that started at the same moment may have been
    /// faster.
    async fn listen(self) -> anyhow::Result<(TcpListener, SocketAddr)> {
        let wished = self.bound.address().to_string();
        match self.bound.listen() {
            Err(error) if self.gives_way && is_taken(&error) => free(&wished).await?.listen(),
            listening => listening.context("admin.listen"),
        }
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == ErrorKind::AddrInUse)
}

async fn free(taken: &str) -> anyhow::Result<Bound> {
    tracing::warn!(
        "the admin address {taken} is taken, by another lambent perhaps: /metrics and /health are at a free \
         port; [admin] listen says where they are to be"
    );
    front_door::bind(FREE).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_default_address_that_is_taken_is_given_way_and_a_configured_one_is_named() {
        let other = TcpListener::bind(FREE).await.unwrap();
        let taken = other.local_addr().unwrap();
        let address = AdminAddress::bind_to(&taken.to_string(), true).await;
        let (_listener, address) = address.unwrap().listen().await.unwrap();
        assert_ne!(address, taken);
        let refused = AdminAddress::bind_to(&taken.to_string(), false).await;
        let told = format!("{:#}", refused.err().unwrap());
        assert!(
            told.starts_with(&format!("admin.listen: {taken} cannot be listened on: ")),
            "{told}"
        );
    }

    #[tokio::test]
    async fn two_servers_that_start_at_the_same_moment_both_start() {
        // Bound and not yet listening, which the kernel allows to several.
        let free = TcpListener::bind(FREE).await.unwrap().local_addr().unwrap();
        let address = async || {
            AdminAddress::bind_to(&free.to_string(), true)
                .await
                .unwrap()
        };
        let (one, two) = (address().await, address().await);
        let (_first, first) = one.listen().await.unwrap();
        let (_second, second) = two.listen().await.unwrap();
        assert_ne!(first, second);
    }
}
