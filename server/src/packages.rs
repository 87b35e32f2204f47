//! Functions' packages from a store that speaks S3's protocol.

use std::sync::Arc;

use async_trait::async_trait;
use aws::{Client, Endpoint, Keys, s3};
use bytes::Bytes;
use control::{NoPackages, Object, PACKAGE_BYTES_MAX, PackageSource, SourceError};
use tokio::sync::Semaphore;
use types::{Clock, Region};

use crate::config;

/// Packages read at a time, each held in memory as a whole. More wait.
const AT_ONCE: usize = 2;

/// The store that the configuration names.
struct Store {
    client: Client,
    endpoint: Endpoint,
    keys: Option<Keys>,
    turns: Semaphore,
}

/// Reads packages from where the configuration says.
pub(crate) fn source(
    config: &config::Aws,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn PackageSource>> {
    let Some(endpoint) = config.endpoint("s3")? else {
        return Ok(Arc::new(NoPackages));
    };
    Ok(Arc::new(Store {
        client: Client::new(Arc::clone(clock)),
        endpoint,
        keys: config.keys(),
        turns: Semaphore::new(AT_ONCE),
    }))
}

#[async_trait]
impl PackageSource for Store {
    async fn read(&self, object: &Object, region: &Region) -> Result<Bytes, SourceError> {
        // Never closed, so that there is always a turn.
        let _turn = self.turns.acquire().await;
        let object = s3::Object {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            version: object.version.clone(),
        };
        let place = (&self.endpoint, self.keys.as_ref(), region);
        let read = s3::get_object(&self.client, place, &object, PACKAGE_BYTES_MAX);
        match read.await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(s3::Refusal { code, message })) => Err(SourceError::Refused { code, message }),
            Err(aws::Error::TooLarge { .. }) => Err(SourceError::TooLarge),
            Err(error) => Err(SourceError::Unavailable(Box::new(error))),
        }
    }
}
