//! A forward proxy: takes absolute-form requests, and tunnels on CONNECT.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};

type Body = BoxBody<Bytes, hyper::Error>;

pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
    /// Bound without listening, while connections are refused: nobody else can be given the port.
    held: Option<TcpSocket>,
}

#[derive(Default)]
struct State {
    requests: Mutex<Vec<String>>,
    refusals: Mutex<HashMap<String, u16>>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let socket = bind(([127, 0, 0, 1], 0).into());
        let address = socket.local_addr().unwrap();
        let state = Arc::<State>::default();
        let task = listen(socket, &state);
        Self {
            address,
            state,
            task,
            held: None,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn uri(&self) -> Uri {
        format!("http://{}/", self.address).parse().unwrap()
    }

    /// Answers this status to what is for that authority, and does not connect to it.
    pub(crate) fn refuse(&self, authority: String, status: u16) {
        let mut refusals = self.state.refusals.lock().unwrap();
        refusals.insert(authority, status);
    }

    /// Methods and targets, such as `CONNECT 127.0.0.1:1` or `GET http://127.0.0.1:1/`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Refuses connections, and closes those that there are.
    pub(crate) async fn stop(&mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
        self.held = Some(bind(self.address));
    }

    /// Takes connections again.
    pub(crate) fn restart(&mut self) {
        self.task = listen(self.held.take().unwrap(), &self.state);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn listen(socket: TcpSocket, state: &Arc<State>) -> JoinHandle<()> {
    tokio::spawn(accept(socket.listen(64).unwrap(), state.clone()))
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut tasks = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tasks.spawn(serve(stream, state.clone(), client.clone()));
    }
}

/// Serves one connection, and the tunnel that it may become.
async fn serve(stream: TcpStream, state: Arc<State>, client: Client<HttpConnector, Incoming>) {
    let tunnel = Mutex::new(None);
    let service = service_fn(|request: Request<Incoming>| async {
        let (method, target) = (request.method().clone(), request.uri().clone());
        let authority = target.authority().expect("not in origin-form").to_string();
        let told = format!("{method} {target}");
        state.requests.lock().unwrap().push(told);
        let refusal = state.refusals.lock().unwrap().get(&authority).copied();
        let response = match refusal {
            Some(status) => Err(StatusCode::from_u16(status).unwrap()),
            None if method == Method::CONNECT => match TcpStream::connect(authority).await {
                Ok(server) => {
                    let upgrade = hyper::upgrade::on(request);
                    *tunnel.lock().unwrap() = Some((upgrade, server));
                    Ok(Response::new(empty()))
                }
                Err(_) => Err(StatusCode::BAD_GATEWAY),
            },
            None => match client.request(request).await {
                Ok(response) => Ok(response.map(BodyExt::boxed)),
                Err(_) => Err(StatusCode::BAD_GATEWAY),
            },
        };
        Ok::<_, Infallible>(response.unwrap_or_else(|status| {
            let response = Response::builder()
                .status(status)
                .header("x-proxy", "sorry");
            response.body(empty()).unwrap()
        }))
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Errors say that one of the two was faster to hang up.
    let _ = pin!(connection.with_upgrades()).await;
    let tunnel = tunnel.into_inner().unwrap();
    if let Some((upgrade, mut server)) = tunnel {
        let mut client = TokioIo::new(upgrade.await.unwrap());
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}
