//! `lambent cluster join`: a folder from which a process of another host starts.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use authority::{Files, Folder, Joined, SigningKey, Token};
use data_encoding::BASE64;

use super::folder::{CONFIGURATION, CREDENTIALS, SECRET};
use super::handout::completed;
use crate::cli::Join;
use crate::terminal::{say, visible};

/// A token has some 150 characters.
const TOKEN_BYTES_MAX: u64 = 1_024;

pub(super) fn join(options: &Join) -> anyhow::Result<ExitCode> {
    let token = token(&options.token)?;
    let path = std::path::absolute(&options.folder).context("the folder")?;
    // Before the token is used up.
    let describe = || format!("{} cannot be made", path.display());
    let folder = Folder::make(&path).with_context(describe)?;
    let key = SigningKey::new()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let joined = runtime.block_on(authority::join(&token, key.request()?))?;
    write(&folder, &path, joined, &key).with_context(describe)?;
    let shown = path.display().to_string();
    let shown = visible(&shown);
    say!("This host has joined: its certificate and settings are in {shown}.");
    say!("Say in {shown}/{CONFIGURATION} what is its own, then run:");
    say!("  lambent run --config {shown}/{CONFIGURATION}");
    Ok(ExitCode::SUCCESS)
}

fn token(given: &str) -> anyhow::Result<Token> {
    if given != "-" {
        return Ok(given.parse()?);
    }
    let mut text = String::new();
    let input = std::io::stdin().take(TOKEN_BYTES_MAX);
    { input }
        .read_to_string(&mut text)
        .context("standard input cannot be read")?;
    Ok(text.trim().parse()?)
}

fn write(folder: &Folder, path: &Path, joined: Joined, key: &SigningKey) -> anyhow::Result<()> {
    let welcome = joined.welcome;
    if let Some(secret) = &welcome.secret {
        let secret = BASE64.decode(secret.expose().as_bytes());
        folder.put(SECRET, &secret.context("the master keys are not base64")?)?;
    }
    if let Some(credentials) = &welcome.credentials {
        folder.put(CREDENTIALS, credentials.expose().as_bytes())?;
    }
    let configuration = completed(welcome.configuration.expose(), path)?;
    folder.put(CONFIGURATION, configuration.as_bytes())?;
    folder.write(&Files {
        authorities: joined.authorities,
        certificate: joined.certificate,
        key: key.to_pem(),
    })?;
    Ok(())
}
