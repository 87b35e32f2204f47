//! Statements of functions' policies.

use http::Method;
use serde_json::{Value, json};

use super::{Live, Made, shape};
use crate::api::{Error, lambda};
use crate::record::Recorded;

/// Members that the API has under the same name.
const SAME: [&str; 8] = [
    "Action",
    "EventSourceToken",
    "FunctionUrlAuthType",
    "InvokedViaFunctionUrl",
    "Principal",
    "PrincipalOrgID",
    "SourceAccount",
    "SourceArn",
];

impl Live {
    pub(super) async fn add_permission(&self, it: &Recorded) -> Result<Made, Error> {
        let mut body = shape::chosen(&it.properties, &SAME);
        for name in ["Principal", "SourceAccount"] {
            if let Some(Value::Number(number)) = body.get(name) {
                let text = number.to_string();
                body.insert(name.to_owned(), text.into());
            }
        }
        body.insert("StatementId".to_owned(), json!(it.name));
        lambda(self.api(), Method::POST, path(it, "")?, Some(&body.into())).await?;
        Ok(Made::new(&it.name, []))
    }

    pub(super) async fn remove_permission(&self, it: &Recorded) -> Result<(), Error> {
        let statement = format!("/{}", shape::in_path(&it.name));
        lambda(self.api(), Method::DELETE, path(it, &statement)?, None).await?;
        Ok(())
    }
}

/// `FunctionName` may be an ARN with a qualifier, which this operation takes apart.
fn path(it: &Recorded, statement: &str) -> Result<String, Error> {
    let function = shape::needed(&it.properties, "FunctionName")?;
    let (name, qualifier) = split(function);
    let qualifier = qualifier.map(|qualifier| format!("?Qualifier={}", shape::in_path(qualifier)));
    Ok(format!(
        "/2015-03-31/functions/{}/policy{statement}{}",
        shape::in_path(name),
        qualifier.unwrap_or_default()
    ))
}

/// A function's name or ARN, and the qualifier at its end.
pub(super) fn split(function: &str) -> (&str, Option<&str>) {
    let parts = function.split(':').count();
    // `name:qualifier`, or an ARN of seven parts and its qualifier.
    match parts {
        2 | 8 => function
            .rsplit_once(':')
            .map_or((function, None), |(name, qualifier)| {
                (name, Some(qualifier))
            }),
        _ => (function, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qualifier_is_told_from_a_name() {
        assert_eq!(split("f"), ("f", None));
        assert_eq!(split("f:live"), ("f", Some("live")));
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        assert_eq!(split(arn), (arn, None));
        assert_eq!(split(&format!("{arn}:live")), (arn, Some("live")));
    }
}
