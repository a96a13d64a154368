//! What goes wrong once the client is done with its handshake.

use failover_cluster::{Ca, Fault, TlsServer};
use http::Method;
use tower::Layer;
use tower_failover::classify::Reason;

use super::{HOST, NEVER_SENT, UNKNOWN, Wire, https};
use crate::support::*;

#[tokio::test]
async fn a_connection_that_ends_after_the_handshake_may_have_carried_the_request() {
    let ca = Ca::new("ca");
    for fault in [Fault::Close, Fault::Reset] {
        let home = TlsServer::http1("home", ca.issue(HOST)).await;
        let other = TlsServer::http1("other", ca.issue(HOST)).await;
        home.region().set(fault).await;
        let client = layer([home.origin(), other.origin()]).layer(https(&ca));
        let outcome = send(&client, request(Method::POST, home.origin())).await;
        assert_eq!(attempts(&outcome), [(UNKNOWN, Reason::Reset)]);
        assert_eq!((home.region().hits(), other.connections()), (1, 0));
        let outcome = send(&client, request(Method::GET, home.origin())).await;
        assert_eq!(outcome.unwrap().headers()["x-region"], "other");
    }
}

/// With TLS 1.3 a client is done with its handshake before the server has seen its certificate, and may
/// have sent the request when it is turned away. It is replayed just as that is reported.
#[tokio::test]
async fn a_region_that_turns_the_client_away_gets_no_request_twice() {
    let ca = Ca::new("ca");
    for wire in Wire::BOTH {
        let identity = ca.issue(HOST).for_clients_of(&ca);
        let home = wire.server("home", identity).await;
        let other = wire.server("other", ca.issue(HOST)).await;
        for method in [Method::POST, Method::GET] {
            // A layer of its own, with nothing remembered.
            let client = layer([home.origin(), other.origin()]).layer(https(&ca));
            let earlier = other.region().hits();
            let outcome = send(&client, request(method.clone(), home.origin())).await;
            let (kind, _) = attempts(&outcome)[0];
            assert!(kind == NEVER_SENT || kind == UNKNOWN, "{outcome:?}");
            let is_replayed = kind == NEVER_SENT || method == Method::GET;
            assert_eq!(outcome.is_ok(), is_replayed, "{outcome:?}");
            let hits = other.region().hits() - earlier;
            assert_eq!(hits, usize::from(is_replayed));
        }
        assert_eq!((home.handshakes(), home.region().hits()), (0, 0));
    }
}
