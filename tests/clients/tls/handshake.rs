//! What a handshake that fails says of a request, and of its region.

use std::{io, net::SocketAddr, time::Duration};

use failover_cluster::{Ca, Fault, Identity, Server, TlsServer};
use http::Method;
use rustls::{CertificateError, InvalidMessage};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tower::{Layer, ServiceBuilder, ServiceExt, util::MapFutureLayer};
use tower_failover::{Error, ErrorKind, Served, Stop, classify::Reason};

use super::{HOST, NEVER_SENT, Wire, connector, https};
use crate::{describe::describe, support::*};

/// A listener that does one thing to every connection.
async fn peer<F, Fut>(act: F) -> (SocketAddr, JoinSet<()>)
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind((HOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut tasks = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // An error of the wire says that the client was faster to hang up.
            tasks.spawn(act(stream));
        }
    });
    (address, tasks)
}

/// Sends a POST home, where the handshake fails, and one more, which does not go there any more; then
/// one where no other region is better.
async fn expect_never_sent(ca: &Ca, home: String, is_why: impl Fn(&Error) -> bool) {
    for wire in Wire::BOTH {
        let other = wire.server("other", ca.issue(HOST)).await;
        let both = layer([home.clone(), other.origin()]);
        let (handle, client) = (both.handle(), both.layer(https(ca)));
        let post = || request(Method::POST, format!("{home}/path"));

        let outcome = send(&client, post()).await;
        let seen = attempts(&outcome);
        assert_eq!(seen[0], (NEVER_SENT, Reason::Connect), "{outcome:?}");
        assert_eq!(outcome.unwrap().headers()["x-region"], "other");
        assert_eq!(ejected(&handle, &home), [(0, Reason::Connect)]);
        let request = other.region().requests().pop().unwrap();
        assert_eq!((request.method, &*request.body), (Method::POST, PAYLOAD));
        assert_eq!(request.version, wire.version());

        let outcome = send(&client, post()).await;
        assert_eq!(attempts(&outcome).len(), 1, "{outcome:?}");
        assert_eq!(outcome.unwrap().headers()["x-region"], "other");
        assert_eq!((other.region().hits(), other.handshakes()), (2, 1));
    }

    let worse = Server::http1("worse").await;
    worse.set(Fault::Refuse).await;
    let refused = format!("https://{}", worse.authority());
    // The last error is the one that is passed on.
    let client = layer([refused.clone(), home.clone()]).layer(https(ca));
    let outcome = send(&client, request(Method::POST, refused)).await;
    let seen = attempts(&outcome);
    let refused = (NEVER_SENT, Reason::Refused);
    assert_eq!(seen, [refused, (NEVER_SENT, Reason::Connect)]);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NeverSent);
    assert_eq!(error.stop(), Some(Stop::Regions));
    assert!(is_why(&error), "{:?}", std::error::Error::source(&error));
}

/// As [`expect_never_sent`], for a server that shows a certificate that nobody should take.
async fn expect_distrust(identity: Identity, ca: &Ca, is_why: fn(&CertificateError) -> bool) {
    // It is not come to what the server would speak.
    let home = TlsServer::http1("home", identity).await;
    expect_never_sent(ca, home.origin(), |error| match cause(error) {
        Some(rustls::Error::InvalidCertificate(fault)) => is_why(fault),
        _ => false,
    })
    .await;
    assert_eq!((home.connections(), home.handshakes()), (3, 0));
    assert_eq!(home.region().hits(), 0);
}

#[tokio::test]
async fn a_region_with_a_certificate_of_another_authority_gets_no_request() {
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    expect_distrust(other.issue(HOST), &ca, |fault| {
        matches!(fault, CertificateError::UnknownIssuer)
    })
    .await;
}

#[tokio::test]
async fn a_region_with_a_certificate_for_another_name_gets_no_request() {
    let ca = Ca::new("ca");
    expect_distrust(ca.issue("other.example.com"), &ca, |fault| {
        matches!(fault, CertificateError::NotValidForNameContext { .. })
    })
    .await;
}

#[tokio::test]
async fn a_region_with_an_expired_certificate_gets_no_request() {
    let ca = Ca::new("ca");
    expect_distrust(ca.issue_expired(HOST), &ca, |fault| {
        matches!(fault, CertificateError::ExpiredContext { .. })
    })
    .await;
}

#[tokio::test]
async fn a_region_that_speaks_no_tls_gets_no_request() {
    let ca = Ca::new("ca");
    let plain = Server::http1("plain").await;
    let home = format!("https://{}", plain.authority());
    expect_never_sent(&ca, home, |error| {
        let error = cause(error);
        matches!(
            error,
            Some(rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType
            ))
        )
    })
    .await;
    assert_eq!((plain.connections(), plain.hits()), (3, 0));
}

#[tokio::test]
async fn a_region_that_closes_in_the_handshake_gets_no_request() {
    let ca = Ca::new("ca");
    let (address, _tasks) = peer(async |mut stream: TcpStream| {
        stream.peek(&mut [0]).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        Ok(())
    })
    .await;
    expect_never_sent(&ca, format!("https://{address}"), |error| {
        let source = std::error::Error::source(error).unwrap();
        describe(source) == "hyper_util (connect) > io (Other) > io (UnexpectedEof)"
    })
    .await;
}

/// A `connect_timeout` of the `HttpConnector` is over before the handshake begins: only a timeout
/// around the whole connector proves that nothing was sent.
#[tokio::test]
async fn a_region_that_hangs_in_the_handshake_gets_no_request_from_a_connector_with_a_timeout() {
    let ca = Ca::new("ca");
    let (address, _tasks) = peer(async |mut stream: TcpStream| {
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        Ok(())
    })
    .await;
    let home = format!("https://{address}");
    let other = TlsServer::h2("other", ca.issue(HOST)).await;
    let patient = layer([home.clone(), other.origin()])
        .attempt_timeout(Duration::from_millis(100))
        .total_timeout(Duration::from_millis(300));
    let timed = ServiceBuilder::new()
        .layer(MapFutureLayer::new(Box::pin))
        .timeout(Duration::from_secs(1))
        .service(connector(&ca));

    let post = || request(Method::POST, home.clone());
    let without = send(&patient.layer(https(&ca)), post()).await;
    assert_eq!(without.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(other.connections(), 0);

    let long = patient.total_timeout(Duration::from_secs(15));
    let outcome = send(&long.layer(over(timed)), post()).await;
    let first = attempts(&outcome)[0];
    assert_eq!(first, (NEVER_SENT, Reason::ConnectTimeout));
    assert_eq!(outcome.unwrap().headers()["x-region"], "other");
    assert_eq!(other.region().requests()[0].body, PAYLOAD);
}

#[tokio::test]
async fn a_region_with_a_wrong_certificate_gets_no_request_from_reqwest() {
    let (ca, wrong) = (Ca::new("ca"), Ca::new("wrong"));
    for wire in Wire::BOTH {
        let home = wire.server("home", wrong.issue(HOST)).await;
        let other = wire.server("other", ca.issue(HOST)).await;
        let mut tls = ca.client_config();
        tls.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
        let builder = reqwest::Client::builder().no_proxy();
        let client = builder.tls_backend_preconfigured(tls).build().unwrap();
        let layer = layer([home.origin(), other.origin()]);
        let (handle, service) = (layer.handle(), layer.layer(client.clone()));
        let post = client.post(format!("{}/path", home.origin())).body(PAYLOAD);
        let response = within(service.oneshot(post.build().unwrap()))
            .await
            .unwrap();
        assert_eq!(response.headers()["x-region"], "other");
        assert_eq!(response.version(), wire.version());
        let served = response.extensions().get::<Served>().unwrap();
        let first = &served.attempts()[0];
        assert_eq!(
            (first.failure(), first.reason()),
            (NEVER_SENT, Reason::Connect)
        );
        assert_eq!(other.region().requests()[0].body, PAYLOAD);
        assert_eq!((home.handshakes(), home.region().hits()), (0, 0));
        assert_eq!(ejected(&handle, &home.origin()), [(0, Reason::Connect)]);
    }
}
