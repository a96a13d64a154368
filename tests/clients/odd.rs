//! Failures beyond those of the table, of which only the error matters: what each client makes of them.

use std::{any::Any, future::ready, io, net::SocketAddr, time::Duration, vec};

use ::reqwest::dns::{Name, Resolve, Resolving};
use bytes::Bytes;
use failover_cluster::{Ca, Fault, FullPort, Server, TlsServer};
use http::Request;
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns},
    },
    rt::TokioExecutor,
};
use tonic::transport::ClientTlsConfig;
use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    FailoverLayer, Regions,
    classify::{Http, Verdict},
    replay::ReplayBody,
    tonic::Channels,
};

use crate::{recorder::Recorder, support::within};

/// What a region does to a request, or before there can be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    NoAddress,
    ConnectTimeout,
    Plaintext,
    Certificate,
    HalfHead,
    Garbage,
    GoAway,
    RefusedStream,
    CancelledStream,
}

pub(crate) const ODD: [Odd; 9] = [
    Odd::NoAddress,
    Odd::ConnectTimeout,
    Odd::Plaintext,
    Odd::Certificate,
    Odd::HalfHead,
    Odd::Garbage,
    Odd::GoAway,
    Odd::RefusedStream,
    Odd::CancelledStream,
];

impl Odd {
    /// As the page on failures names it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::NoAddress => "a name that does not resolve",
            Self::ConnectTimeout => "no connection within the client's connect timeout",
            Self::Plaintext => "no TLS at an `https` origin",
            Self::Certificate => "a certificate that is not trusted",
            Self::HalfHead => "half a response head, then FIN",
            Self::Garbage => "an answer that is no HTTP",
            Self::GoAway => "GOAWAY with a last stream below the request's",
            Self::RefusedStream => "RST_STREAM with REFUSED_STREAM",
            Self::CancelledStream => "RST_STREAM with CANCEL",
        }
    }

    /// A region that does it; `None` where the protocol has no such thing.
    async fn region(self, wire: Wire) -> Option<Place> {
        let fault = match (self, wire) {
            (Self::NoAddress, _) => return Some(Place::new("http://home.invalid".to_owned(), ())),
            (Self::ConnectTimeout, _) => return Some(full().await),
            (Self::Plaintext | Self::Certificate, _) => Fault::None,
            (Self::HalfHead, Wire::Http1) => Fault::HalfHead,
            (Self::Garbage, Wire::Http1) => Fault::Garbage,
            (Self::GoAway, Wire::H2) => Fault::GoAway,
            (Self::RefusedStream, Wire::H2) => Fault::RefusedStream,
            (Self::CancelledStream, Wire::H2) => Fault::ResetStream(h2::Reason::CANCEL.into()),
            _ => return None,
        };
        if self == Self::Certificate {
            let identity = Ca::new("unknown").issue("127.0.0.1");
            let server = match wire {
                Wire::Http1 => TlsServer::http1("home", identity).await,
                Wire::H2 => TlsServer::h2("home", identity).await,
            };
            return Some(Place::new(server.origin(), server));
        }
        let server = match wire {
            Wire::Http1 => Server::http1("home").await,
            Wire::H2 => Server::h2c("home").await,
        };
        server.set(fault).await;
        let origin = match self {
            Self::Plaintext => format!("https://{}", server.authority()),
            _ => server.origin(),
        };
        Some(Place::new(origin, server))
    }

    /// What the client is told of it: short only where it is meant to pass.
    fn connect_timeout(self) -> Option<Duration> {
        (self == Self::ConnectTimeout).then_some(Duration::from_millis(200))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Http1,
    H2,
}

struct Place {
    origin: String,
    _server: Box<dyn Any>,
}

impl Place {
    fn new(origin: String, server: impl Any) -> Self {
        let _server = Box::new(server);
        Self { origin, _server }
    }
}

/// A region that accepts nothing, and whose queue is full. Linux answers nobody then.
async fn full() -> Place {
    let port = FullPort::open().await;
    Place::new(port.origin(), port)
}

/// Knows no name, and asks nobody. The clients resolve no address that is one already.
#[derive(Clone, Copy)]
struct NoNames;

impl NoNames {
    fn error() -> io::Error {
        io::Error::other("no such name")
    }
}

impl Resolve for NoNames {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(ready(Err(Self::error().into())))
    }
}

/// What a client gave, and what was made of it.
pub(crate) type Met = Option<(String, Verdict)>;

pub(crate) async fn hyper(odd: Odd, wire: Wire) -> Met {
    let place = odd.region(wire).await?;
    let no_names =
        service_fn(|_: dns::Name| ready(Err::<vec::IntoIter<SocketAddr>, _>(NoNames::error())));
    let mut http = HttpConnector::new_with_resolver(no_names);
    http.set_connect_timeout(odd.connect_timeout());
    http.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(Ca::new("known").client_config())
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(http);
    let client: Client<_, ReplayBody<Full<Bytes>>> = Client::builder(TokioExecutor::new())
        .http2_only(wire == Wire::H2)
        .build(connector);
    let (layer, met) = recorded(&place);
    let _ = within(layer.layer(client).oneshot(request(&place))).await;
    met()
}

pub(crate) async fn reqwest(odd: Odd, wire: Wire) -> Met {
    let place = odd.region(wire).await?;
    let mut tls = Ca::new("known").client_config();
    tls.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    let mut builder = ::reqwest::Client::builder()
        .no_proxy()
        .dns_resolver(NoNames)
        .tls_backend_preconfigured(tls)
        // One attempt of reqwest's own is enough to see.
        .retry(::reqwest::retry::never());
    if let Some(timeout) = odd.connect_timeout() {
        builder = builder.connect_timeout(timeout);
    }
    let client = match wire {
        Wire::Http1 => builder.http1_only(),
        Wire::H2 => builder.http2_prior_knowledge(),
    };
    let client = client.build().unwrap();
    let request = client.put(format!("{}/path", place.origin)).body("payload");
    let (layer, met) = recorded(&place);
    let _ = within(layer.layer(client).oneshot(request.build().unwrap())).await;
    let (gave, verdict) = met()?;
    if odd != Odd::ConnectTimeout {
        return Some((gave, verdict));
    }
    // It sets hyper-util's timer, and one of its own around that: whichever is first.
    let inner = " > io (TimedOut)";
    let outer = gave.strip_suffix(inner).unwrap_or(&gave);
    Some((format!("{outer}, with or without{inner}"), verdict))
}

pub(crate) async fn channels(odd: Odd) -> Met {
    if odd == Odd::NoAddress {
        // They would ask the system.
        return None;
    }
    let place = odd.region(Wire::H2).await?;
    let channels = Channels::new(move |endpoint| {
        let endpoint = match odd.connect_timeout() {
            Some(timeout) => endpoint.connect_timeout(timeout),
            None => endpoint,
        };
        match endpoint.uri().scheme_str() {
            Some("https") => Ok(endpoint.tls_config(ClientTlsConfig::new())?),
            _ => Ok(endpoint),
        }
    });
    let (layer, met) = recorded(&place);
    let _ = within(layer.layer(channels).oneshot(request(&place))).await;
    met()
}

fn request(place: &Place) -> Request<Full<Bytes>> {
    let request = Request::put(format!("{}/path", place.origin));
    request.body(Full::from("payload")).unwrap()
}

/// A layer over one region, and what its classifier sees first.
fn recorded(place: &Place) -> (FailoverLayer, impl FnOnce() -> Met) {
    let (recorder, seen) = Recorder::new(Http);
    let regions = Regions::fixed([&place.origin]).unwrap();
    let layer = FailoverLayer::new(regions).classifier(recorder);
    (layer, move || seen.lock().unwrap().first().cloned())
}
