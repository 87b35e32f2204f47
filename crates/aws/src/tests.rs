//! A service behind TLS is believed if the authorities vouch for it, and not otherwise.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use types::{Region, SystemClock};

use crate::{Authorities, Client, Endpoint, Error, Request};

/// A service that says "hello"; its URL and its certificate.
async fn service() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not believe us goes away in the middle of it.
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let answer = service_fn(async |_| {
                Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from("hello"))))
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        }
    });
    (url, cert.pem())
}

async fn call(client: &Client, url: &str) -> Result<Response<Bytes>, Error> {
    let endpoint = Endpoint::parse(url).unwrap();
    assert!(endpoint.is_https());
    client
        .send(Request {
            endpoint: &endpoint,
            service: "s3",
            region: &Region::new("us-east-1").unwrap(),
            keys: None,
            method: Method::GET,
            target: "/",
            headers: &[],
            body: Bytes::new(),
            answer_bytes_max: 100,
        })
        .await
}

fn client() -> Client {
    Client::new(Arc::new(SystemClock))
}

#[tokio::test]
async fn who_is_vouched_for_is_believed() {
    let (url, certificate) = service().await;
    let authorities = Authorities::parse(certificate.as_bytes()).unwrap();
    let answer = call(&client().believing(authorities), &url).await.unwrap();
    assert_eq!(answer.body(), "hello");
}

#[tokio::test]
async fn nobody_else_is() {
    let (url, _) = service().await;
    let (_, of_another) = service().await;
    let authorities = Authorities::parse(of_another.as_bytes()).unwrap();
    for client in [client(), client().believing(authorities)] {
        let refused = call(&client, &url).await.unwrap_err();
        assert!(matches!(refused, Error::Unreachable { .. }), "{refused}");
    }
}
