//! Which of several settings counts.

use std::collections::BTreeMap;

use super::*;

const CREDENTIALS: &str = "[default]\naws_access_key_id=OFDEFAULT\naws_secret_access_key=s\n\
                           [work]\naws_access_key_id=OFWORK\naws_secret_access_key=s\naws_session_token=t\n";
const CONFIG: &str = "[default]\nregion=eu-west-1\n[profile work]\nregion=eu-north-1\nservices=here\n\
                      endpoint_url=http://all\n[services here]\nlambda =\n  endpoint_url=http://lambda\n\
                      [profile role]\nrole_arn=x\n";
const FOLDER: &str =
    "[default]\naws_access_key_id=OFFOLDER\naws_secret_access_key=s\nregion=ap-east-1\n";
const HOME: [(&str, &str); 2] = [
    ("/home/.aws/credentials", CREDENTIALS),
    ("/home/.aws/config", CONFIG),
];
const OURS: (&str, &str) = ("./lambent-data/credentials", FOLDER);
const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "OFVARIABLES"),
    ("AWS_SECRET_ACCESS_KEY", "s"),
];

#[derive(Default)]
struct Case {
    options: cli::Client,
    variables: Vec<(&'static str, &'static str)>,
    files: Vec<(&'static str, &'static str)>,
}

impl Case {
    fn access(&self) -> anyhow::Result<Access> {
        let mut variables: BTreeMap<_, _> = self.variables.iter().copied().collect();
        variables.insert("HOME", "/home");
        let files: BTreeMap<_, _> = self.files.iter().copied().collect();
        let surroundings = Surroundings {
            variable: &|name| variables.get(name).map(|value| (*value).to_owned()),
            read: &|path| {
                let text = files.get(path.to_str().unwrap_or_default());
                text.map(|text| (*text).to_owned())
                    .ok_or_else(|| io::ErrorKind::NotFound.into())
            },
        };
        surroundings.access(&self.options)
    }

    fn told(&self) -> (String, String, String) {
        let access = self.access().unwrap();
        let key = access.keys.access_key_id;
        (key, access.url, access.region.to_string())
    }
}

fn told(key: &str, url: &str, region: &str) -> (String, String, String) {
    (key.to_owned(), url.to_owned(), region.to_owned())
}

#[test]
fn the_server_of_this_folder_is_what_is_meant_where_nothing_is_said() {
    let mut case = Case {
        files: [HOME.as_slice(), &[OURS]].concat(),
        ..Case::default()
    };
    assert_eq!(case.told(), told("OFFOLDER", ENDPOINT, "ap-east-1"));
    case.files.pop();
    assert_eq!(case.told(), told("OFDEFAULT", ENDPOINT, "eu-west-1"));
    case.files.clear();
    let refused = case.access().unwrap_err().to_string();
    assert!(refused.starts_with("there are no credentials"), "{refused}");
}

#[test]
fn keys_of_the_environment_need_no_folder_and_a_named_profile_wins_over_them() {
    let mut case = Case {
        variables: KEYS.to_vec(),
        files: HOME.to_vec(),
        ..Case::default()
    };
    case.variables.extend([
        ("AWS_PROFILE", "work"),
        ("AWS_DEFAULT_REGION", "eu-south-1"),
    ]);
    assert_eq!(
        case.told(),
        told("OFVARIABLES", "http://lambda", "eu-south-1")
    );
    case.options.profile = Some("work".to_owned());
    assert_eq!(
        case.access().unwrap().keys.session_token.unwrap().expose(),
        "t"
    );
    case.variables = vec![KEYS[0]];
    case.options.profile = None;
    let refused = case.access().unwrap_err().to_string();
    assert!(
        refused.contains("AWS_SECRET_ACCESS_KEY is not"),
        "{refused}"
    );
}

#[test]
fn a_profile_brings_key_endpoint_and_region() {
    let mut case = Case {
        variables: vec![("AWS_PROFILE", "work")],
        files: [HOME.as_slice(), &[OURS]].concat(),
        ..Case::default()
    };
    assert_eq!(case.told(), told("OFWORK", "http://lambda", "eu-north-1"));
    case.variables.push(("AWS_ENDPOINT_URL", "http://general"));
    assert_eq!(case.told().1, "http://general");
    case.variables
        .push(("AWS_ENDPOINT_URL_LAMBDA", "https://special"));
    assert_eq!(case.told().1, "https://special");
    case.variables
        .push(("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"));
    assert_eq!(case.told().1, ENDPOINT);
    case.options.endpoint = Some("http://given:1".to_owned());
    assert_eq!(case.told().1, "http://given:1");
    for (name, part) in [
        ("none", "there is no profile none"),
        ("role", "has no access key"),
    ] {
        case.options.profile = Some(name.to_owned());
        let refused = case.access().unwrap_err().to_string();
        assert!(refused.contains(part), "{refused}");
    }
}

#[test]
fn a_data_folder_that_is_named_wins_over_the_users_files() {
    let mut case = Case {
        variables: vec![("AWS_PROFILE", "work"), ("LAMBENT_DATA_DIR", "/data")],
        files: [HOME.as_slice(), &[("/data/credentials", FOLDER)]].concat(),
        ..Case::default()
    };
    assert_eq!(case.told().0, "OFFOLDER");
    case.options.data_dir = Some(PathBuf::from("/nowhere"));
    let refused = case.access().unwrap_err().to_string();
    assert_eq!(refused, "/nowhere/credentials cannot be read");
}

#[test]
fn a_bundle_is_read_for_https_alone() {
    let mut case = Case {
        variables: [KEYS.as_slice(), &[("AWS_CA_BUNDLE", "/none.pem")]].concat(),
        files: vec![("/text.pem", "no certificate")],
        ..Case::default()
    };
    assert!(case.access().unwrap().authorities.is_none());
    case.options.endpoint = Some("https://given".to_owned());
    let refused = case.access().unwrap_err().to_string();
    assert_eq!(refused, "/none.pem cannot be read");
    case.variables.pop();
    assert!(case.access().unwrap().authorities.is_none());
    let config = "[default]\nca_bundle = /text.pem\n";
    case.files.push(("/home/.aws/config", config));
    let refused = case.access().unwrap_err().to_string();
    assert_eq!(refused, "/text.pem has no authorities");
}
