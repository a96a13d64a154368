use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use failover_cluster::{Recorded, Server, Upload};
use http::{Request, Response};
use tokio::sync::watch;
use tonic::service::Routes;
use tower_service::Service;

use crate::BoxError;
use crate::echo::Echo;
use crate::fault::{self, Cut, Fault};
use crate::proto::echo_server::EchoServer;

/// The path of the unary call.
pub const SAY: &str = "/failover.echo.v1.Echo/Say";
/// The path of the call with a stream of requests.
pub const COLLECT: &str = "/failover.echo.v1.Echo/Collect";
/// The path of the call with a stream of replies.
pub const REPEAT: &str = "/failover.echo.v1.Echo/Repeat";
/// The path of the call with streams both ways.
pub const TALK: &str = "/failover.echo.v1.Echo/Talk";

/// One region: a tonic server on loopback with a fixed port for its lifetime.
///
/// Dropping it stops it and closes its connections.
#[derive(Debug)]
pub struct Region {
    server: Server,
    fault: Arc<Mutex<Fault>>,
    held: watch::Sender<bool>,
}

impl Region {
    /// Starts a region, whose health service says that it is serving.
    pub async fn start(name: &str) -> Region {
        let held = watch::Sender::new(false);
        let echo = Echo {
            region: name.to_owned(),
            held: held.subscribe(),
        };
        let (_, health) = tonic_health::server::health_reporter();
        let routes = Routes::new(EchoServer::new(echo)).add_service(health);
        let fault = Arc::new(Mutex::new(Fault::None));
        let met = fault.clone();
        let server = Server::h2c_with(name, move |request| {
            answer(routes.clone(), get(&met), request)
        });
        Region {
            server: server.await,
            fault,
            held,
        }
    }

    /// Sets what calls meet from now on, also those on connections that exist already.
    ///
    /// The fault is in force when this returns. A call already being answered keeps the fault it met.
    ///
    /// # Panics
    /// As [`Server::set`] does.
    pub async fn set(&self, fault: Fault) {
        let http = match &fault {
            Fault::Http(http) => http.clone(),
            _ => failover_cluster::Fault::None,
        };
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        self.server.set(http).await;
    }

    /// The server alone, whose calls meet the fault that was set last.
    pub fn into_server(self) -> Server {
        self.server
    }

    /// Holds messages of streams back, each after the head of its response, until [`release`](Self::release).
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets held messages go.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// The metadata of each call in order of arrival, which are the headers of its request.
    pub fn metadata(&self) -> Vec<http::HeaderMap> {
        let headers = |call: Recorded| call.headers;
        self.server.requests().into_iter().map(headers).collect()
    }
}

impl Deref for Region {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

fn get(fault: &Mutex<Fault>) -> Fault {
    let fault = fault.lock().unwrap_or_else(PoisonError::into_inner);
    fault.clone()
}

async fn answer(
    mut routes: Routes,
    fault: Fault,
    request: Request<Upload>,
) -> Result<Response<tonic::body::Body>, BoxError> {
    match fault {
        Fault::EarlyStatus(code) => Ok(fault::trailers_only(code, None)),
        Fault::Status(code) => {
            fault::read(request.into_body()).await?;
            Ok(fault::trailers_only(code, None))
        }
        Fault::Pushback(code, pushback) => {
            fault::read(request.into_body()).await?;
            Ok(fault::trailers_only(code, Some(pushback)))
        }
        Fault::Trailers(code) => {
            fault::read(request.into_body()).await?;
            Ok(fault::trailers(code))
        }
        Fault::AfterMessage(code) => {
            let answer = routes.call(request).await?;
            Ok(answer.map(|body| tonic::body::Body::new(Cut::new(body, code))))
        }
        Fault::None | Fault::Http(_) => Ok(routes.call(request).await?),
    }
}
