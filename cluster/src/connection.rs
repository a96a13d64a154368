//! One accepted connection. hyper serves it until a request's fault asks for what hyper would not do.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use crate::answer::Answers;
use crate::port::Serve;
use crate::region::{Protocol, Region};
use crate::socket::Socket;
use crate::tasks::Tasks;

/// Bounds what one read can take of an upload, and with it a request head.
const HTTP1_BUFFER: usize = 64 * 1024;

/// How far a client gets ahead of a region that does not read. With HTTP/2's default of 64 KiB, Nagle's algorithm at the client
/// and delayed acknowledgements here cost a healthy upload 40 ms per window.
const H2_STREAM_WINDOW: u32 = 256 * 1024;

/// What a request asks of the connection it came on.
#[derive(Debug)]
pub(crate) enum Order {
    /// Tell when everything handed to hyper so far has been written.
    Flush(oneshot::Sender<()>),
    /// End the connection.
    End(Ending),
}

/// How a connection ends.
#[derive(Debug)]
pub(crate) enum Ending {
    /// These bytes, then FIN.
    Fin(Bytes),
    /// RST.
    Reset,
}

impl Serve for Region {
    fn serve(self: Arc<Self>, stream: TcpStream) -> impl Future<Output = ()> + Send + 'static {
        self.ledger.connected();
        serve(stream, self)
    }
}

async fn serve(stream: TcpStream, region: Arc<Region>) {
    let socket = Socket::new(stream);
    let io = TokioIo::new(socket.clone());
    let (orders, inbox) = mpsc::unbounded_channel();
    let tasks = Tasks::default();

    let protocol = region.protocol;
    let answers = Answers::new(region, orders, tasks.spawner());
    let service = service_fn(move |request| answers.answer(request));
    let ending = match protocol {
        Protocol::Http1 => {
            let connection = http1::Builder::new()
                .max_buf_size(HTTP1_BUFFER)
                .serve_connection(io, service);
            drive(connection, inbox).await
        }
        Protocol::H2c => {
            let connection = http2::Builder::new(tasks.spawner())
                .initial_stream_window_size(H2_STREAM_WINDOW)
                .serve_connection(io, service);
            drive(connection, inbox).await
        }
    };
    // Before the client sees the end: it finds no upload open then.
    tasks.end().await;

    let stream = socket
        .take_back()
        .expect("hyper's clone went with its connection");
    end(stream, ending).await;
}

/// Runs hyper's connection until it ends or is ended; it is gone when this returns.
async fn drive(connection: impl Future, mut orders: mpsc::UnboundedReceiver<Order>) -> Ending {
    let mut connection = pin!(connection);
    loop {
        tokio::select! {
            biased;
            _ = connection.as_mut() => return Ending::Fin(Bytes::new()),
            Some(order) = orders.recv() => match order {
                Order::End(ending) => return ending,
                Order::Flush(done) => {
                    // Each poll of hyper's connection writes what is queued, so one that begins now writes it all. It must
                    // not begin with tokio's cooperative budget used up, for then it would return before writing.
                    tokio::task::yield_now().await;
                    if poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready())).await {
                        return Ending::Fin(Bytes::new());
                    }
                    // The asker may be gone by now, with its stream.
                    let _ = done.send(());
                }
            },
        }
    }
}

/// Ends a stream. Errors mean that the peer was faster.
pub(crate) async fn end(mut stream: TcpStream, ending: Ending) {
    match ending {
        Ending::Fin(last_words) => {
            if stream.write_all(&last_words).await.is_err() || stream.shutdown().await.is_err() {
                return;
            }
            // A socket closed with unread data sends RST, not FIN, so read on until the peer closes too.
            let mut unread = [0; 8 * 1024];
            while matches!(stream.read(&mut unread).await, Ok(1..)) {}
        }
        Ending::Reset => {
            // With a linger of zero, closing sends RST.
            let _ = stream.set_zero_linger();
        }
    }
}
