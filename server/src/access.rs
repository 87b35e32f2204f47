//! Which server a command calls, and with which key: found as AWS's own clients find them.
//!
//! ```text
//!   endpoint   --endpoint, AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's, http://127.0.0.1:9100
//!   key        --profile, AWS_ACCESS_KEY_ID …, --data-dir, AWS_PROFILE, ./lambent-data, the profile `default`
//!   trust      AWS_CA_BUNDLE, the profile's ca_bundle, this machine's certificates
//!   region     --region, AWS_REGION, AWS_DEFAULT_REGION, that of whence the key is, us-east-1
//! ```
//!
//! A data folder is the one thing that AWS's clients do not know: that of the server on this machine.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use api::Secret;
use aws::{Authorities, Endpoint, Keys};
use types::Region;

use crate::cli;
use crate::profiles::Profiles;

/// Where a server is unless somebody says otherwise.
const ENDPOINT: &str = "http://127.0.0.1:9100";
/// Where its data are, from where it was started.
pub(crate) const DATA_DIR: &str = "./lambent-data";
const REGION: &str = "us-east-1";
const DEFAULT: &str = "default";

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Access {
    /// The endpoint, as it was given.
    pub(crate) url: String,
    pub(crate) endpoint: Endpoint,
    /// Who vouches for an `https` endpoint, if not this machine's authorities.
    pub(crate) authorities: Option<Authorities>,
    pub(crate) keys: Keys,
    pub(crate) region: Region,
    pub(crate) source: Source,
}

/// Whence the key is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// `AWS_ACCESS_KEY_ID` and its like.
    Variables,
    /// A profile of that name.
    Profile(String),
    /// The credentials file of a data folder.
    Folder(PathBuf),
}

/// Where settings are looked up: variables and files, of this process or of a test.
pub(crate) struct Surroundings<'s> {
    pub(crate) variable: &'s dyn Fn(&str) -> Option<String>,
    pub(crate) read: &'s dyn Fn(&Path) -> io::Result<String>,
}

impl Access {
    /// What the options, the environment and the user's files say.
    pub(crate) fn of(options: &cli::Client) -> anyhow::Result<Self> {
        let surroundings = Surroundings {
            variable: &|name| std::env::var(name).ok(),
            read: &|path| std::fs::read_to_string(path),
        };
        surroundings.access(options)
    }
}

impl Surroundings<'_> {
    fn access(&self, options: &cli::Client) -> anyhow::Result<Access> {
        let files = self.files()?;
        let named = options.profile.clone();
        let of_environment = self.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
        let profile = named.clone().or(of_environment.clone());
        let profile = profile.unwrap_or_else(|| DEFAULT.to_owned());
        let folder = options
            .data_dir
            .clone()
            .or_else(|| self.set("LAMBENT_DATA_DIR").map(PathBuf::from));
        let has_own_files =
            of_environment.is_some() || self.set("AWS_SHARED_CREDENTIALS_FILE").is_some();

        let (keys, source, region) = if named.is_some() {
            files.profile(&profile)?
        } else if let Some(keys) = self.keys()? {
            (keys, Source::Variables, None)
        } else if let Some(folder) = folder {
            self.folder(&folder)?
        } else if has_own_files {
            files.profile(&profile)?
        } else if self.is_there(Path::new(DATA_DIR)) {
            self.folder(Path::new(DATA_DIR))?
        } else if files.has(&profile) {
            files.profile(&profile)?
        } else {
            bail!(
                "there are no credentials: neither AWS_ACCESS_KEY_ID nor a profile nor a data folder \
                 (--profile, --data-dir)"
            );
        };
        let url = match &options.endpoint {
            Some(url) => url.clone(),
            None => self.endpoint(&files, &profile),
        };
        let endpoint = Endpoint::parse(&url)?;
        let authorities = match endpoint.is_https() {
            true => self.authorities(&files, &profile)?,
            false => None,
        };
        let region = options
            .region
            .clone()
            .or_else(|| self.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
            .or(region)
            .or_else(|| files.setting(&profile, "region"));
        let region = Region::new(region.as_deref().unwrap_or(REGION))?;
        Ok(Access {
            url,
            endpoint,
            authorities,
            keys,
            region,
            source,
        })
    }

    /// A variable, unless it is empty.
    fn set(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.set(name))
    }

    /// The access key of the environment.
    fn keys(&self) -> anyhow::Result<Option<Keys>> {
        let Some(id) = self.set("AWS_ACCESS_KEY_ID") else {
            return Ok(None);
        };
        let secret = self.set("AWS_SECRET_ACCESS_KEY");
        let secret = secret.context("AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not")?;
        Ok(Some(Keys {
            access_key_id: id,
            secret: Secret::new(secret),
            session_token: self.set("AWS_SESSION_TOKEN").map(Secret::new),
        }))
    }

    fn endpoint(&self, files: &Files, profile: &str) -> String {
        let ignored = self.set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        if ignored.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return ENDPOINT.to_owned();
        }
        self.first(&["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"])
            .or_else(|| files.endpoint(profile))
            .unwrap_or_else(|| ENDPOINT.to_owned())
    }

    fn authorities(&self, files: &Files, profile: &str) -> anyhow::Result<Option<Authorities>> {
        let bundle = self.set("AWS_CA_BUNDLE");
        let Some(path) = bundle.or_else(|| files.setting(profile, "ca_bundle")) else {
            return Ok(None);
        };
        let text = (self.read)(Path::new(&path));
        let text = text.with_context(|| format!("{path} cannot be read"))?;
        let authorities = Authorities::parse(text.as_bytes());
        let authorities = authorities.with_context(|| format!("{path} has no authorities"))?;
        Ok(Some(authorities))
    }

    /// Whether a server has a data folder there, be it one that may not be looked into.
    fn is_there(&self, folder: &Path) -> bool {
        let read = (self.read)(&folder.join("credentials"));
        !read.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    fn folder(&self, folder: &Path) -> anyhow::Result<(Keys, Source, Option<String>)> {
        let file = folder.join("credentials");
        let text = (self.read)(&file);
        let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
        let profiles = Profiles::parse(&text);
        let keys = keys_of(&profiles, DEFAULT)
            .with_context(|| format!("{} has no access key", file.display()))?;
        let region = profiles.get(DEFAULT, "region").map(str::to_owned);
        Ok((keys, Source::Folder(file), region))
    }

    fn files(&self) -> anyhow::Result<Files> {
        let home = self.set("HOME").map(PathBuf::from);
        let read = |variable: &str, name: &str| {
            let given = self.set(variable).map(PathBuf::from);
            let usual = || home.as_ref().map(|home| home.join(".aws").join(name));
            let Some(path) = given.or_else(usual) else {
                return Ok(Profiles::default());
            };
            match (self.read)(&path) {
                Ok(text) => Ok(Profiles::parse(&text)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Profiles::default()),
                Err(error) => {
                    Err(anyhow!(error).context(format!("{} cannot be read", path.display())))
                }
            }
        };
        Ok(Files {
            credentials: read("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
            config: read("AWS_CONFIG_FILE", "config")?,
        })
    }
}

/// The user's two files.
struct Files {
    credentials: Profiles,
    config: Profiles,
}

impl Files {
    fn has(&self, profile: &str) -> bool {
        self.credentials.has(profile) || self.config.has(profile)
    }

    fn setting(&self, profile: &str, name: &str) -> Option<String> {
        let found = self.config.get(profile, name);
        let found = found.or_else(|| self.credentials.get(profile, name));
        found.map(str::to_owned)
    }

    fn endpoint(&self, profile: &str) -> Option<String> {
        let services = self.config.get(profile, "services");
        let services = services.map(|name| format!("services {name}"));
        let own = services.and_then(|section| self.config.get(&section, "lambda.endpoint_url"));
        let all = || self.setting(profile, "endpoint_url");
        own.map(str::to_owned).or_else(all)
    }

    fn profile(&self, name: &str) -> anyhow::Result<(Keys, Source, Option<String>)> {
        if !self.has(name) {
            bail!("there is no profile {name}");
        }
        let keys = keys_of(&self.credentials, name).or_else(|| keys_of(&self.config, name));
        let keys = keys.with_context(|| {
            format!(
                "the profile {name} has no access key (keys that it is to get elsewhere: \
                 eval \"$(aws configure export-credentials --profile {name} --format env)\")"
            )
        })?;
        let region = self.setting(name, "region");
        Ok((keys, Source::Profile(name.to_owned()), region))
    }
}

fn keys_of(profiles: &Profiles, name: &str) -> Option<Keys> {
    let get = |setting: &str| profiles.get(name, setting);
    Some(Keys {
        access_key_id: get("aws_access_key_id")?.to_owned(),
        secret: Secret::new(get("aws_secret_access_key")?.to_owned()),
        session_token: get("aws_session_token").map(|token| Secret::new(token.to_owned())),
    })
}

#[cfg(test)]
mod tests;
