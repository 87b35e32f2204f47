//! The code of a request: where it comes from, and what it must be.

use authn::run_blocking;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use image::{Packages, Published};
use policy::Context;
use serde::Deserialize;
use types::limits::{UNZIPPED_BYTES_MAX, ZIP_UPLOAD_BYTES_MAX};
use types::{Region, Scope};
use wire::ApiError;
use wire::rest::Operation;

use crate::call::Call;
use crate::code_storage::counted;
use crate::failure::Failure;
use crate::package_words;
use crate::service::Control;
use crate::source::{Object, SourceError};
use crate::unused_packages::claim_package;

/// `Code` of CreateFunction, the same members of UpdateFunctionCode, and `Content` of
/// PublishLayerVersion, which has fewer.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CodeMembers {
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    image_uri: Option<String>,
    #[serde(rename = "SourceKMSKeyArn")]
    source_kms_key_arn: Option<String>,
}

/// Where a package comes from.
enum Source {
    /// The request itself, in base64.
    Zip(String),
    Object(Object),
}

impl CodeMembers {
    fn source(self, operation: Operation) -> Result<Source, ApiError> {
        let s3 = self.s3_bucket.is_some() || self.s3_key.is_some();
        if self.zip_file.is_some() && (s3 || self.image_uri.is_some()) {
            return Err(ApiError::invalid_parameter(
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            ));
        }
        if self.image_uri.is_some() {
            let doing = match operation {
                Operation::UpdateFunctionCode => "updating",
                _ => "creating",
            };
            return Err(ApiError::invalid_parameter(format!(
                "Please don't provide ImageUri when {doing} a function with packageType Zip."
            )));
        }
        if self.source_kms_key_arn.is_some_and(|key| !key.is_empty()) {
            return Err(ApiError::not_implemented(
                "packages encrypted by a key of the caller's (SourceKMSKeyArn)",
            ));
        }
        match (self.zip_file, self.s3_bucket, self.s3_key) {
            (Some(zip), _, _) => Ok(Source::Zip(zip)),
            (None, Some(bucket), Some(key)) => Ok(Source::Object(Object {
                bucket,
                key,
                version: self.s3_object_version,
            })),
            (None, None, None) => Err(ApiError::invalid_parameter(
                "Please provide a source for function code.",
            )),
            _ => Err(ApiError::invalid_parameter(
                "Please provide both S3Bucket and S3Key.",
            )),
        }
    }
}

impl Control {
    /// Checks a request's package, for a function or layer of that scope, and keeps it.
    pub(crate) async fn publish_code(
        &self,
        call: &Call<'_>,
        code: CodeMembers,
        (operation, scope): (Operation, &Scope),
    ) -> Result<Published, Failure> {
        let zip = match code.source(operation)? {
            Source::Zip(text) => decoded(text).await?,
            Source::Object(object) => {
                self.check_reader(call, &object, scope)?;
                self.read(&object, &scope.region).await?
            }
        };
        if zip.is_empty() {
            return Err(nothing_in_it().into());
        }
        let bytes = zip.len() as u64;
        let most = self.config.upload_bytes_max;
        let most = self.config.shares.of_bytes(most, UNZIPPED_BYTES_MAX);
        let bound = (self.config.unused_packages_kept, most);
        let now = self.clock.now();
        if !self.uploads.take(&scope.account, (now, bytes), bound) {
            let reason = Some("CallerRateLimitExceeded");
            return Err(ApiError::throttled("Rate exceeded", reason, None).into());
        }
        let package = Packages::check(zip.clone()).await.map_err(refused)?;
        // Everything in a package takes some room.
        if package.unpacked_bytes == 0 {
            return Err(nothing_in_it().into());
        }
        let counted = counted(package.bytes, package.unpacked_bytes);
        self.check_code_storage(scope, counted).await?;
        claim_package(&self.rows, &package.image).await?;
        self.code.keep(&package, zip).await.map_err(refused)?;
        Ok(package)
    }

    /// Refuses an object that the caller may not read themselves: the store does not learn who the
    /// caller is, and may be accessed with the operator's key.
    fn check_reader(&self, call: &Call<'_>, object: &Object, scope: &Scope) -> Result<(), Failure> {
        let resource = format!("arn:aws:s3:::{}/{}", object.bucket, object.key);
        let action = match object.version {
            None => "s3:GetObject",
            Some(_) => "s3:GetObjectVersion",
        };
        let operator_key = self.config.operator_key.as_ref();
        let reached = operator_key.is_none_or(|key| key.reaches(&scope.account, &resource));
        let asked = call.authorise_action(action, &scope.account, &resource, Context::new());
        if reached && asked.is_ok() {
            return Ok(());
        }
        let refused = SourceError::Refused {
            code: "AccessDenied".to_owned(),
            message: "Access Denied".to_owned(),
        };
        Err(refused.answer(object).into())
    }

    async fn read(&self, object: &Object, region: &Region) -> Result<Bytes, Failure> {
        let read = self.packages.read(object, region).await;
        read.map_err(|error| match error {
            SourceError::Unavailable(source) => Failure::Packages(source),
            error => error.answer(object).into(),
        })
    }
}

async fn decoded(text: String) -> Result<Bytes, ApiError> {
    let decoded = run_blocking(text.len(), move || BASE64.decode(text)).await;
    let zip = decoded.map_err(|_| {
        // The base64 itself is the SDK's part; an error here is not about the package.
        ApiError::serialization("Could not parse request body into json: ZipFile is not base64")
    })?;
    if zip.len() > ZIP_UPLOAD_BYTES_MAX {
        return Err(ApiError::too_large(format!(
            "Zipped size must be smaller than {ZIP_UPLOAD_BYTES_MAX} bytes"
        )));
    }
    Ok(Bytes::from(zip))
}

fn nothing_in_it() -> ApiError {
    ApiError::invalid_parameter("Uploaded file must be a non-empty zip")
}

/// The caller's error for a package that is not accepted.
fn refused(error: image::Error) -> Failure {
    match package_words::of_package(&error) {
        Some(reason) => ApiError::invalid_parameter(reason).into(),
        None => Failure::Images(error),
    }
}
