//! A host joins over a real connection.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::{Folder, JoinError, Joined, Joining, Token, Welcome, join};

/// A process that lets hosts in, until it is dropped.
struct Door {
    address: SocketAddr,
    task: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn door(cluster: &Cluster, roles: &[Role]) -> Door {
    let files = cluster.host("door", roles).await;
    let folder = tempfile::tempdir().unwrap();
    let made = Folder::make(&folder.path().join("lambent")).unwrap();
    made.write(&files).unwrap();
    let handout = |holder: &Holder| {
        Ok(Welcome {
            configuration: Secret::new(format!("# {}", holder.host)),
            secret: holder
                .roles
                .contains(&Role::Control)
                .then(|| Secret::new("s")),
            credentials: None,
        })
    };
    let joining = Joining::new(Arc::clone(&cluster.registrar), made, Arc::new(handout));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Door {
        address,
        task: tokio::spawn(joining.serve(listener)),
        _folder: folder,
    }
}

async fn token(cluster: &Cluster, door: &Door, roles: &[Role]) -> Token {
    let holder = holder("h1", roles);
    let token = cluster
        .registrar
        .token(door.address.to_string(), holder, HOUR);
    token.await.unwrap()
}

async fn asked(token: &Token) -> Result<(Joined, SigningKey), JoinError> {
    let key = SigningKey::new().unwrap();
    let joined = join(token, key.request().unwrap()).await?;
    Ok((joined, key))
}

fn why(refused: Result<(Joined, SigningKey), JoinError>) -> String {
    match refused.map(|_| ()) {
        Err(JoinError::Refused { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_host_with_a_token_gets_what_its_roles_need() {
    let cluster = Cluster::new().await;
    let door = door(&cluster, &[Role::Control]).await;
    for (roles, secret) in [
        (&[Role::Worker][..], None),
        (&[Role::Control, Role::Worker], Some(Secret::new("s"))),
    ] {
        let token = token(&cluster, &door, roles).await;
        let (joined, key) = asked(&token.to_text().parse().unwrap()).await.unwrap();
        assert_eq!(joined.welcome.configuration, Secret::new("# h1"));
        assert_eq!(joined.welcome.secret, secret);
        let peer = identity(&Files {
            authorities: joined.authorities,
            certificate: joined.certificate,
            key: key.to_pem(),
        });
        assert_eq!(
            (peer.own().host.as_str(), peer.own().roles.as_slice()),
            ("h1", roles)
        );
    }
}

#[tokio::test]
async fn all_wrong_tokens_get_one_answer() {
    let cluster = Cluster::new().await;
    let door = door(&cluster, &[Role::Control]).await;
    let used = token(&cluster, &door, &[Role::Worker]).await;
    asked(&used).await.unwrap();
    let expired = token(&cluster, &door, &[Role::Worker]).await;
    cluster.clock.advance(HOUR);
    let unknown = Token {
        secret: Secret::new("0".repeat(64)),
        ..used.clone()
    };
    let none = Token {
        secret: Secret::new(""),
        ..used.clone()
    };
    let answer = why(asked(&used).await);
    for wrong in [expired, unknown, none] {
        assert_eq!(why(asked(&wrong).await), answer);
    }
}

#[tokio::test]
async fn a_host_tells_its_secret_to_its_own_cluster_alone() {
    let cluster = Cluster::new().await;
    // A worker of the same cluster, a control process of another one, and nobody.
    let worker = door(&cluster, &[Role::Worker]).await;
    let other = door(&Cluster::new().await, &[Role::Control]).await;
    for door in [&worker, &other] {
        let token = token(&cluster, door, &[Role::Worker]).await;
        let refused = asked(&token).await.map(|_| ());
        assert!(
            matches!(refused, Err(JoinError::Connect { .. })),
            "{refused:?}"
        );
        // It is not used up.
        cluster.admitted(&token.secret).await.unwrap();
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let token = cluster.registrar.token(address, holder("h1", &[]), HOUR);
    let refused = asked(&token.await.unwrap()).await.map(|_| ());
    assert!(matches!(refused, Err(JoinError::Connect { .. })));
}

#[tokio::test]
async fn who_tries_too_often_waits() {
    let cluster = Cluster::new().await;
    let door = door(&cluster, &[Role::Control]).await;
    let unknown = Token {
        secret: Secret::new("0".repeat(64)),
        ..token(&cluster, &door, &[Role::Worker]).await
    };
    let first = why(asked(&unknown).await);
    let tries = (0..200).map(|_| asked(&unknown));
    let tries = futures_util::future::join_all(tries).await;
    assert!(tries.into_iter().any(|tried| why(tried) != first));
}

#[test]
fn a_folder_is_made_once_and_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let around = tempfile::tempdir().unwrap();
    let path = around.path().join("lambent");
    let folder = Folder::make(&path).unwrap();
    folder.put("host.key", b"k").unwrap();
    assert!(Folder::make(&path).is_err());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("host.key")), 0o600);
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
}
