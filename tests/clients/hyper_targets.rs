//! Where a request says that it goes: its URI in each form, and its `Host`, as servers receive them.

use std::error::Error;

use failover_cluster::{Fault, Recorded, Server};
use http::{Method, Version, header::HOST};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::Layer;
use tower_failover::{ErrorKind, classify::Reason};

use crate::support::*;

/// What a server and its clients speak.
#[derive(Clone, Copy, Debug)]
enum Wire {
    Http1,
    H2c,
}

impl Wire {
    const BOTH: [Wire; 2] = [Wire::Http1, Wire::H2c];

    /// Two regions, of which `home` answers 503.
    async fn regions(self) -> [Server; 2] {
        let regions = match self {
            Wire::Http1 => [Server::http1("home").await, Server::http1("other").await],
            Wire::H2c => [Server::h2c("home").await, Server::h2c("other").await],
        };
        regions[0].set(Fault::Status(503)).await;
        regions
    }

    fn client(self) -> Http {
        match self {
            Wire::Http1 => http1(),
            Wire::H2c => h2c(),
        }
    }

    /// A call that moves, as both regions received it.
    async fn replayed(
        self,
        regions: &[Server; 2],
        uri: String,
        host: Option<&str>,
    ) -> [Recorded; 2] {
        let mut request = request(Method::GET, uri);
        if let Some(host) = host {
            request.headers_mut().insert(HOST, host.parse().unwrap());
        }
        let client = layer(regions.each_ref().map(Server::origin)).layer(self.client());
        let response = send(&client, request).await.unwrap();
        assert_eq!(response.headers()["x-region"], "other");
        regions.each_ref().map(|region| {
            assert_eq!(region.hits(), 1);
            region.requests().remove(0)
        })
    }
}

fn host(request: &Recorded) -> Option<&str> {
    let mut hosts = request.headers.get_all(HOST).iter();
    let host = hosts.next().map(|host| host.to_str().unwrap());
    assert_eq!(hosts.next(), None);
    host
}

#[tokio::test]
async fn without_a_host_header_each_region_is_told_its_own_name() {
    for wire in Wire::BOTH {
        let regions = wire.regions().await;
        let uri = format!("{}/path?query", regions[0].origin());
        let requests = wire.replayed(&regions, uri, None).await;
        for (request, region) in requests.iter().zip(&regions) {
            let authority = region.authority();
            match wire {
                Wire::Http1 => {
                    assert_eq!(request.uri, "/path?query");
                    assert_eq!(host(request), Some(&*authority));
                }
                Wire::H2c => {
                    let uri = format!("http://{authority}/path?query");
                    assert_eq!(request.uri.to_string(), uri);
                    assert_eq!(host(request), None);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_host_header_that_names_home_is_each_regions_own_on_the_wire() {
    for wire in Wire::BOTH {
        let regions = wire.regions().await;
        let (uri, named) = (regions[0].origin(), regions[0].authority());
        let requests = wire.replayed(&regions, uri, Some(&named)).await;
        for (request, region) in requests.iter().zip(&regions) {
            assert_eq!(host(request), Some(&*region.authority()));
            if let Wire::H2c = wire {
                // `:authority`, which must not differ (RFC 9113, 8.3.1).
                assert_eq!(request.uri.authority().unwrap(), &*region.authority());
            }
        }
    }
}

/// Over HTTP/2 `:authority` names the region all the same: that the two differ is the caller's doing,
/// at home already.
#[tokio::test]
async fn a_host_header_that_names_something_else_is_the_same_on_the_wire() {
    for wire in Wire::BOTH {
        let regions = wire.regions().await;
        let uri = regions[0].origin();
        let tenant = "tenant.example.com";
        let requests = wire.replayed(&regions, uri, Some(tenant)).await;
        for (request, region) in requests.iter().zip(&regions) {
            assert_eq!(host(request), Some(tenant));
            if let Wire::H2c = wire {
                assert_eq!(request.uri.authority().unwrap(), &*region.authority());
            }
        }
    }
}

#[tokio::test]
async fn a_uri_in_origin_form_is_at_home_in_the_first_region() {
    for wire in Wire::BOTH {
        let regions = wire.regions().await;
        let uri = "/path?query".to_owned();
        let requests = wire.replayed(&regions, uri.clone(), None).await;
        for (request, region) in requests.iter().zip(&regions) {
            assert_eq!(request.uri.path_and_query().unwrap(), "/path?query");
            let authority = match wire {
                Wire::Http1 => host(request).unwrap(),
                Wire::H2c => request.uri.authority().unwrap().as_str(),
            };
            assert_eq!(authority, region.authority());
        }
    }
}

/// What makes the test above worth something.
#[tokio::test]
async fn a_uri_in_origin_form_is_nothing_that_the_client_alone_could_send() {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let outcome = within(client.request(request(Method::GET, "/path".to_owned()))).await;
    let error = outcome.unwrap_err();
    assert!(!error.is_connect() && error.source().is_none(), "{error:?}");
}

#[tokio::test]
async fn a_uri_without_a_path_is_sent_as_the_root() {
    for wire in Wire::BOTH {
        let regions = wire.regions().await;
        let uri = regions[0].origin();
        for request in wire.replayed(&regions, uri, None).await {
            assert_eq!(request.uri.path_and_query().unwrap(), "/");
        }
    }
}

/// Over HTTP/2 hyper sends it home, as part of `:authority`, where it must not be (RFC 9113, 8.3.1).
#[tokio::test]
async fn user_information_for_home_reaches_no_other_region() {
    for wire in Wire::BOTH {
        let regions = wire.regions().await;
        let uri = format!("http://user:secret@{}/path", regions[0].authority());
        let requests = wire.replayed(&regions, uri, None).await;
        let told = requests.map(|request| format!("{request:?}").contains("secret"));
        assert_eq!(told, [matches!(wire, Wire::H2c), false], "{wire:?}");
    }
}

/// It names no region, and hyper-util's client cannot send it.
#[tokio::test]
async fn a_uri_in_asterisk_form_is_left_to_the_client() {
    for wire in Wire::BOTH {
        let regions = wire.regions().await;
        let client = layer(regions.each_ref().map(Server::origin)).layer(wire.client());
        let outcome = send(&client, request(Method::OPTIONS, "*".to_owned())).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::OutOfScope);
        assert_eq!(regions.each_ref().map(Server::connections), [0, 0]);
    }
}

/// A version that was asked for is asked for in the other region too. A client that learns of it only
/// from the connection refuses, and that is no region's fault.
#[tokio::test]
async fn a_request_for_http2_does_not_move_to_a_region_without() {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    home.set(Fault::Refuse).await;
    let service = layer([home.origin(), other.origin()]);
    let (handle, client) = (service.handle(), service.layer(http1()));
    let mut request = request(Method::GET, home.origin());
    *request.version_mut() = Version::HTTP_2;
    let outcome = send(&client, request).await;
    assert_eq!(attempts(&outcome)[1], (None, Reason::Request));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Request);
    assert_eq!(other.hits(), 0);
    assert_eq!(
        ejected(&handle, &home.origin()),
        [(0, Reason::Refused)],
        "and not the other"
    );
}
