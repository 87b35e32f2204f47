//! The code of functions and layers, on its way to the server and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Uri};
use serde_json::{Value, json};

use super::Live;
use crate::api::{Call, Error, ask};
use crate::packages::ZIP;

impl Live {
    /// `Code` and `Content` as the API takes them.
    pub(super) fn code(&self, code: &Value) -> Result<Value, Error> {
        let Some(hash) = code.get(ZIP).and_then(Value::as_str) else {
            return Ok(code.clone());
        };
        let package = self.package(hash);
        let package = package.ok_or_else(|| {
            Error::Failed("the code that was there is not known any more".to_owned())
        })?;
        Ok(json!({ "ZipFile": STANDARD.encode(&package) }))
    }

    fn package(&self, hash: &str) -> Option<Bytes> {
        let packages = self.packages.lock();
        packages
            .expect("nothing panics while it has the packages")
            .get(hash)
    }

    /// Fetches the code that is there, if it is not known, so that it can be put back.
    pub(super) async fn preserve(&self, name: &str, code: &Value) -> Result<(), Error> {
        let Some(hash) = code.get(ZIP).and_then(Value::as_str) else {
            return Ok(());
        };
        if self.package(hash).is_some() {
            return Ok(());
        }
        let path = format!("/2015-03-31/functions/{}", super::shape::in_path(name));
        let answer = crate::api::lambda(self.api(), Method::GET, path, None).await?;
        let link = answer
            .pointer("/Code/Location")
            .and_then(Value::as_str)
            .and_then(|link| link.parse::<Uri>().ok());
        let Some(target) = link.as_ref().and_then(Uri::path_and_query) else {
            return Err(Error::Answer("GetFunction".to_owned()));
        };
        let call = Call {
            service: "",
            method: Method::GET,
            target: target.to_string(),
            headers: Vec::new(),
            body: Bytes::new(),
        };
        let package = ask(self.api(), call).await?.body;
        let packages = self.packages.lock();
        let mut packages = packages.expect("nothing panics while it has the packages");
        packages.keep(package);
        Ok(())
    }
}
