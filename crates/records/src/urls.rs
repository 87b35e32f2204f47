//! Function URLs, as the control plane writes them and the frontend reads them: rows attached to a
//! function or alias, of kind [`crate::functions::URLS`].

use serde::{Deserialize, Serialize};
use types::{FunctionArn, Timestamp};

/// Characters of an id: lower-case letters and digits.
pub const ID_CHARACTERS: usize = 32;

/// One function URL.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Url {
    /// The first label of its host name. Made once, never changed, never used again.
    pub id: String,
    /// What it leads to: a function without a qualifier, or one of its aliases.
    pub function: FunctionArn,
    /// See [`binding`](crate::policies::binding). A row that a deletion has left, or that was written
    /// over it, leads to no new function of the same name.
    #[serde(default)]
    pub bound_to: String,
    /// Who may call it.
    pub auth: Auth,
    /// What browsers may do from other origins; `None` leaves that to the function.
    pub cors: Option<Cors>,
    /// How results are sent.
    pub invoke_mode: InvokeMode,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

impl Url {
    /// Whether it was made for the function or alias that has this
    /// [`binding`](crate::policies::binding). An older row without one is for the function that
    /// has the name now.
    pub fn is_bound_to(&self, binding: &str) -> bool {
        self.bound_to.is_empty() || self.bound_to == binding
    }
}

/// `AuthType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Auth {
    /// Callers need not sign. The function's policy must still let everybody in.
    #[serde(rename = "NONE")]
    None,
    /// Callers sign as for any other API.
    #[serde(rename = "AWS_IAM")]
    Iam,
}

impl Auth {
    /// As callers and policies name it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Iam => "AWS_IAM",
        }
    }
}

/// `InvokeMode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum InvokeMode {
    /// A result is sent when it is whole.
    #[default]
    #[serde(rename = "BUFFERED")]
    Buffered,
    /// A result is sent as the function writes it.
    #[serde(rename = "RESPONSE_STREAM")]
    ResponseStream,
}

/// Cross-origin resource sharing: each as given, `None` where it was not.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cors {
    /// Whether pages of other origins may send cookies and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    /// Headers that requests may have; `*` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_headers: Option<Vec<String>>,
    /// Methods that requests may have; `*` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_methods: Option<Vec<String>>,
    /// Origins that may call; `*` for all, `https://*` for all of a scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_origins: Option<Vec<String>>,
    /// Headers of answers that pages may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expose_headers: Option<Vec<String>>,
    /// Seconds for which browsers may remember this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
}
