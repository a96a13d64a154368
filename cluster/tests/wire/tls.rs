use std::io::{self, ErrorKind};
use std::sync::Arc;

use failover_cluster::{Ca, Fault, TlsServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use crate::support::{GET, within};

const HOST: &str = "127.0.0.1";

/// Connects as a client that trusts this authority and speaks this protocol.
async fn connect(server: &TlsServer, ca: &Ca, protocol: &str) -> io::Result<TlsStream<TcpStream>> {
    let mut config = ca.client_config();
    config.alpn_protocols = vec![protocol.into()];
    let stream = TcpStream::connect(server.authority()).await?;
    let name = ServerName::try_from(HOST).expect("an address");
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// A request that the region answers.
async fn get(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(GET).await.expect("the region reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\neu\n") {
        answer.push(stream.read_u8().await.expect("the region answers"));
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

fn rustls_error(error: &io::Error) -> &Error {
    let inner = error.get_ref().expect("an error of rustls");
    inner.downcast_ref().expect("an error of rustls")
}

#[tokio::test]
async fn a_region_answers_through_tls() {
    within(async {
        let ca = Ca::new("ca");
        let server = TlsServer::http1("eu", ca.issue(HOST)).await;
        let mut stream = connect(&server, &ca, "http/1.1").await.unwrap();
        for hits in 1..=2 {
            get(&mut stream).await;
            assert_eq!(server.region().hits(), hits);
        }
        assert_eq!((server.connections(), server.handshakes()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn what_a_region_does_to_its_connection_is_seen_through_tls() {
    within(async {
        let ca = Ca::new("ca");
        let server = TlsServer::http1("eu", ca.issue(HOST)).await;
        server.region().set(Fault::Close).await;
        let mut stream = connect(&server, &ca, "http/1.1").await.unwrap();
        stream.write_all(GET).await.unwrap();
        // With a close_notify, or this were an error.
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);

        server.region().set(Fault::Reset).await;
        let mut stream = connect(&server, &ca, "http/1.1").await.unwrap();
        stream.write_all(GET).await.unwrap();
        let error = stream.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!((server.region().hits(), server.handshakes()), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn a_region_that_refuses_does_so_before_the_handshake() {
    within(async {
        let ca = Ca::new("ca");
        let server = TlsServer::http1("eu", ca.issue(HOST)).await;
        server.region().set(Fault::Refuse).await;
        // How the connection ends depends on how much of the handshake had come.
        assert!(connect(&server, &ca, "http/1.1").await.is_err());
        assert_eq!((server.connections(), server.handshakes()), (1, 0));
        server.region().set(Fault::None).await;
        get(&mut connect(&server, &ca, "http/1.1").await.unwrap()).await;
        assert_eq!((server.connections(), server.handshakes()), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn a_certificate_is_what_it_was_made_to_be() {
    within(async {
        let (ca, other) = (Ca::new("ca"), Ca::new("other"));
        let is_invalid = async |identity, hope: fn(&CertificateError) -> bool| {
            let server = TlsServer::h2("eu", identity).await;
            let error = connect(&server, &ca, "h2").await.unwrap_err();
            let error = rustls_error(&error);
            assert!(
                matches!(error, Error::InvalidCertificate(fault) if hope(fault)),
                "{error}"
            );
            assert_eq!(server.region().hits(), 0);
        };
        is_invalid(other.issue(HOST), |fault| {
            matches!(fault, CertificateError::UnknownIssuer)
        })
        .await;
        is_invalid(ca.issue("127.0.0.2"), |fault| {
            matches!(fault, CertificateError::NotValidForNameContext { .. })
        })
        .await;
        is_invalid(ca.issue_expired(HOST), |fault| {
            matches!(fault, CertificateError::ExpiredContext { .. })
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn clients_without_a_certificate_are_turned_away_by_who_asks_for_one() {
    within(async {
        let ca = Ca::new("ca");
        let identity = ca.issue(HOST).for_clients_of(&ca);
        let server = TlsServer::http1("eu", identity).await;
        // With TLS 1.3 the client is told when it is done with its part.
        let mut stream = connect(&server, &ca, "http/1.1").await.unwrap();
        let error = stream.read(&mut [0; 1]).await.unwrap_err();
        let alert = Error::AlertReceived(AlertDescription::CertificateRequired);
        assert_eq!(rustls_error(&error), &alert);
        assert_eq!((server.handshakes(), server.region().hits()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn each_server_speaks_one_protocol() {
    within(async {
        let ca = Ca::new("ca");
        let http1 = TlsServer::http1("eu", ca.issue(HOST)).await;
        let h2 = TlsServer::h2("us", ca.issue(HOST)).await;
        for (server, spoken, other) in [(&http1, "http/1.1", "h2"), (&h2, "h2", "http/1.1")] {
            let stream = connect(server, &ca, spoken).await.unwrap();
            let protocol = stream.get_ref().1.alpn_protocol();
            assert_eq!(protocol, Some(spoken.as_bytes()));
            assert!(connect(server, &ca, other).await.is_err());
            assert_eq!(server.connections(), 2);
        }
    })
    .await;
}

#[tokio::test]
async fn a_dropped_server_refuses() {
    within(async {
        let server = TlsServer::http1("eu", Ca::new("ca").issue(HOST)).await;
        let authority = server.authority();
        let mut open = TcpStream::connect(&authority).await.unwrap();
        drop(server);
        assert!(matches!(open.read(&mut [0; 1]).await, Ok(0) | Err(_)));
        while TcpStream::connect(&authority).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
