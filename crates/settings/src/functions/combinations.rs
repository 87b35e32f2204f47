//! Rules over several members of a configuration, checked after the whole request has been applied:
//! what a request leaves out keeps its previous value.

use records::functions::{Configuration, SnapStart};
use types::limits::{EPHEMERAL_MB_MIN, LAYERS_MAX, UNZIPPED_BYTES_MAX};
use wire::ApiError;

/// Families with the first version that can start from a snapshot (AWS's documentation).
const SNAP_STARTED: [(&str, u32, u32); 3] = [("java", 11, 0), ("python", 3, 12), ("dotnet", 8, 0)];

/// Refuses what does not go together. `has_folder` says whether an access point is one of the
/// installation's.
pub fn check_combinations(
    configuration: &Configuration,
    has_folder: impl Fn(&str) -> bool,
) -> Result<(), ApiError> {
    check_dead_letter_target(configuration.dead_letter_target.as_deref())?;
    check_key(configuration.kms_key.as_deref())?;
    check_file_systems(configuration, has_folder)?;
    check_snap_start(configuration)?;
    check_size(configuration)
}

/// Refuses lists of layers that no function can have, independent of the layers themselves.
pub fn check_layer_list(layers: &[types::LayerVersionArn]) -> Result<(), ApiError> {
    if layers.len() > LAYERS_MAX {
        return Err(ApiError::invalid_parameter(format!(
            "Cannot reference more than {LAYERS_MAX} layers."
        )));
    }
    for (at, layer) in layers.iter().enumerate() {
        if let Some(other) = layers[..at].iter().find(|o| o.layer == layer.layer) {
            return Err(ApiError::invalid_parameter(format!(
                "Two different versions of the same layer are not allowed to be referenced in the \
                 same function. {other} and {layer} are versions of the same layer."
            )));
        }
    }
    Ok(())
}

fn check_dead_letter_target(target: Option<&str>) -> Result<(), ApiError> {
    let Some(target) = target else { return Ok(()) };
    let refused = |why: &str| {
        Err(ApiError::invalid_parameter(format!(
            "The provided dead letter target {target} is not valid: {why}"
        )))
    };
    let parts: Vec<&str> = target.split(':').collect();
    let (service, name) = match parts.as_slice() {
        [_, _, service, region, account, name]
            if !region.is_empty() && types::AccountId::new(account).is_ok() && !name.is_empty() =>
        {
            (*service, *name)
        }
        _ => ("", ""),
    };
    if !matches!(service, "sqs" | "sns") {
        return refused("it must be the ARN of a queue of SQS or of a topic of SNS.");
    }
    if name.ends_with(".fifo") {
        return refused("queues and topics that keep an order (FIFO) are not supported.");
    }
    Ok(())
}

fn check_key(key: Option<&str>) -> Result<(), ApiError> {
    let is_key = |key: &str| key.split(':').nth(2) == Some("kms");
    match key {
        Some(key) if !is_key(key) => Err(ApiError::invalid_parameter(format!(
            "KMSKeyArn {key} is not the ARN of a key of KMS."
        ))),
        _ => Ok(()),
    }
}

fn check_file_systems(
    configuration: &Configuration,
    has_folder: impl Fn(&str) -> bool,
) -> Result<(), ApiError> {
    let vpc = configuration.vpc.as_ref();
    let in_vpc = vpc.is_some_and(|vpc| !vpc.subnets.is_empty());
    for system in &configuration.file_systems {
        let (arn, path) = (&system.arn, &system.mount_path);
        if !in_vpc {
            return Err(ApiError::invalid_parameter(format!(
                "Function must be configured to execute in a VPC to reference access point {arn}"
            )));
        }
        if matches!(path.as_str(), "/mnt/." | "/mnt/..") {
            return Err(ApiError::invalid_parameter(format!(
                "LocalMountPath {path} does not name a folder."
            )));
        }
        if !has_folder(arn) {
            return Err(ApiError::invalid_parameter(format!(
                "Access point {arn} is not one of this installation: none of its file systems \
                 ([file_systems] in its configuration) has that ARN."
            )));
        }
    }
    Ok(())
}

fn check_snap_start(configuration: &Configuration) -> Result<(), ApiError> {
    if configuration.snap_start == SnapStart::None {
        return Ok(());
    }
    let runtime = configuration.runtime.as_deref().unwrap_or_default();
    if !can_snap_start(runtime) {
        return Err(ApiError::invalid_parameter(format!(
            "{runtime} is not supported for SnapStart enabled functions."
        )));
    }
    if configuration.ephemeral_mb > EPHEMERAL_MB_MIN {
        return Err(ApiError::invalid_parameter(format!(
            "Ephemeral storage greater than {EPHEMERAL_MB_MIN} MB is not supported for SnapStart \
             enabled functions."
        )));
    }
    if !configuration.file_systems.is_empty() {
        return Err(ApiError::invalid_parameter(
            "FileSystemConfigs is not supported for SnapStart enabled functions.",
        ));
    }
    Ok(())
}

fn can_snap_start(runtime: &str) -> bool {
    SNAP_STARTED.iter().any(|(family, major, minor)| {
        let version = runtime.strip_prefix(family).unwrap_or_default();
        let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
        let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        version >= (*major, *minor)
    })
}

fn check_size(configuration: &Configuration) -> Result<(), ApiError> {
    if configuration.layers.is_empty() {
        // The package alone was measured when it was accepted.
        return Ok(());
    }
    let layers = configuration.layers.iter().map(|l| l.unpacked_bytes);
    let bytes = configuration.code.unpacked_bytes + layers.sum::<u64>();
    if bytes <= UNZIPPED_BYTES_MAX {
        return Ok(());
    }
    Err(ApiError::invalid_parameter(format!(
        "Function code combined with layers exceeds the maximum allowed size of \
         {UNZIPPED_BYTES_MAX} bytes. The actual size is {bytes} bytes."
    )))
}

#[cfg(test)]
mod tests {
    use records::functions::{FileSystem, Layer, Vpc};

    use super::*;

    fn configuration() -> Configuration {
        records::examples::function("f").latest
    }

    fn refused(configuration: &Configuration, words: &str) {
        let error = check_combinations(configuration, |arn| arn == "known").unwrap_err();
        assert_eq!(error.code, "InvalidParameterValueException");
        assert!(error.message.contains(words), "{}", error.message);
    }

    #[test]
    fn a_function_without_anything_special_is_fine() {
        assert!(check_combinations(&configuration(), |_| false).is_ok());
    }

    #[test]
    fn dead_letters_go_to_plain_queues_and_topics() {
        let with = |target: &str| Configuration {
            dead_letter_target: Some(target.to_owned()),
            ..configuration()
        };
        for good in [
            "arn:aws:sqs:us-east-1:000000000000:q",
            "arn:aws:sns:us-east-1:000000000000:t",
        ] {
            assert!(check_combinations(&with(good), |_| false).is_ok(), "{good}");
        }
        refused(&with("arn:aws:s3:::bucket"), "must be the ARN of a queue");
        refused(&with("arn:aws:sqs:us-east-1:0:q"), "must be the ARN");
        refused(&with("arn:aws:sqs:us-east-1:000000000000:q.fifo"), "FIFO");
    }

    #[test]
    fn file_systems_need_a_vpc_and_a_folder() {
        let mut with = configuration();
        with.file_systems = vec![FileSystem {
            arn: "known".to_owned(),
            mount_path: "/mnt/a".to_owned(),
        }];
        refused(&with, "must be configured to execute in a VPC");
        with.vpc = Some(Vpc {
            subnets: vec!["subnet-1".to_owned()],
            ..Vpc::default()
        });
        assert!(check_combinations(&with, |arn| arn == "known").is_ok());
        with.file_systems[0].mount_path = "/mnt/..".to_owned();
        refused(&with, "does not name a folder");
        with.file_systems[0] = FileSystem {
            arn: "strange".to_owned(),
            mount_path: "/mnt/a".to_owned(),
        };
        refused(&with, "strange is not one of this installation");
    }

    #[test]
    fn snapshots_have_their_rules() {
        let with = |runtime: &str| Configuration {
            snap_start: SnapStart::PublishedVersions,
            runtime: Some(runtime.to_owned()),
            ..configuration()
        };
        for good in ["java11", "java21", "python3.12", "python3.13", "dotnet8"] {
            assert!(check_combinations(&with(good), |_| false).is_ok(), "{good}");
        }
        for bad in ["java8.al2", "python3.9", "nodejs22.x", "provided.al2023"] {
            refused(
                &with(bad),
                &format!("{bad} is not supported for SnapStart enabled functions."),
            );
        }
        let large = Configuration {
            ephemeral_mb: 513,
            ..with("java21")
        };
        refused(&large, "greater than 512 MB");
    }

    #[test]
    fn code_and_layers_have_their_size_together() {
        let layer = |unpacked_bytes| Layer {
            arn: "arn".to_owned(),
            image: "aa".to_owned(),
            bytes: 1,
            unpacked_bytes,
        };
        let mut with = configuration();
        with.code.unpacked_bytes = 1;
        with.layers = vec![layer(UNZIPPED_BYTES_MAX - 1)];
        assert!(check_combinations(&with, |_| false).is_ok());
        with.layers.push(layer(1));
        refused(
            &with,
            "exceeds the maximum allowed size of 262144000 bytes. The actual size is 262144001 bytes.",
        );
    }

    #[test]
    fn layers_are_few_and_of_one_version_each() {
        let arn = |name: &str, number| {
            let text = format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}:{number}");
            types::LayerVersionArn::parse(&text).unwrap()
        };
        let many: Vec<_> = (1..=6).map(|n| arn(&format!("l{n}"), 1)).collect();
        assert!(check_layer_list(&many[..5]).is_ok());
        assert_eq!(
            check_layer_list(&many).unwrap_err().message,
            "Cannot reference more than 5 layers."
        );
        let error = check_layer_list(&[arn("l", 1), arn("m", 1), arn("l", 2)]).unwrap_err();
        assert!(
            error.message.ends_with(
                "layer:l:1 and arn:aws:lambda:us-east-1:000000000000:layer:l:2 are versions of the same layer."
            ),
            "{}",
            error.message
        );
    }
}
