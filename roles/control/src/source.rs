//! Packages that callers keep elsewhere and name by bucket and key.

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use types::Region;
use types::limits::UNZIPPED_BYTES_MAX;
use wire::ApiError;
use wire::error::Fault;

/// The most bytes of a package that is not sent in a request: one that unpacks to what a function may
/// have is no larger.
pub const PACKAGE_BYTES_MAX: usize = UNZIPPED_BYTES_MAX as usize;

/// Where packages are read from that are not sent in a request.
#[async_trait]
pub trait PackageSource: Send + Sync {
    /// Reads an object of at most [`PACKAGE_BYTES_MAX`] bytes, for a function of that region. Reading
    /// again is harmless.
    async fn read(&self, object: &Object, region: &Region) -> Result<Bytes, SourceError>;
}

/// An object, or one version of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// The bucket it is in.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// The version, where the bucket keeps several; the newest without.
    pub version: Option<String>,
}

/// Why an object could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The installation names no store.
    #[error("no object store is configured")]
    Unconfigured,
    /// The store refused.
    #[error("the store refuses: {code}: {message}")]
    Refused {
        /// `NoSuchKey`, `AccessDenied` …
        code: String,
        /// In its words.
        message: String,
    },
    /// It is too large to be a package.
    #[error("the object has more than {PACKAGE_BYTES_MAX} bytes")]
    TooLarge,
    /// The store does not answer.
    #[error("the object store cannot be used")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl SourceError {
    /// The caller's error, in the service's words. A store that does not answer is the operator's
    /// problem.
    pub(crate) fn answer(&self, object: &Object) -> ApiError {
        let Object { bucket, key, .. } = object;
        match self {
            Self::Unconfigured => ApiError::invalid_parameter(
                "Code cannot be read from S3 here: the installation names no endpoint for it. Send \
                 the package in the request (ZipFile), or have the operator set `s3` in \
                 [aws.services] of the configuration.",
            ),
            Self::Refused { code, message } if code == "AccessDenied" => ApiError::new(
                StatusCode::FORBIDDEN,
                "AccessDeniedException",
                Fault::Unsaid,
                format!(
                    "Your access has been denied by S3, please make sure your request credentials \
                     have permission to GetObject for {bucket}/{key}. S3 Error Code: {code}. S3 \
                     Error Message: {message}"
                ),
            ),
            Self::Refused { code, message } => ApiError::invalid_parameter(format!(
                "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
            )),
            Self::TooLarge => ApiError::invalid_parameter(format!(
                "Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes"
            )),
            Self::Unavailable(_) => ApiError::unavailable(),
        }
    }
}

/// The source of an installation that names none.
pub struct NoPackages;

#[async_trait]
impl PackageSource for NoPackages {
    async fn read(&self, _: &Object, _: &Region) -> Result<Bytes, SourceError> {
        Err(SourceError::Unconfigured)
    }
}
