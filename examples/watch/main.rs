//! How does a device wait for a call, and stay reachable?
//!
//! A server keeps a stream of events open for it, which here falls silent, ends, is refused, and in the
//! end calls. All that is particular to that server is in `remote_access.rs`; the times are a fraction of
//! what is usual.

mod remote_access;

use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, WatchServer, watch_server::Piece};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower_failover::{
    BoxError, Regions,
    session::{
        Closed, Supervisor,
        watch::{Exit, Policy, Watch},
    },
};

use self::remote_access::RemoteAccess;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let server = WatchServer::http1("eu").await;
    server.heartbeat_interval(Duration::from_millis(200));
    server.keep_alive(Duration::from_millis(100));
    server.next_opening([Piece::Hello, Piece::Silence]);

    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let watch = Watch::new(client, RemoteAccess::new("secret"))
        .heartbeat_intervals(Duration::from_millis(100)..=Duration::from_secs(60));
    let policy = Policy::default().conflict(Duration::from_secs(1));
    let regions = Regions::named([("eu", server.origin())])?;
    let handle = Supervisor::new(regions, watch)
        .classifier(move |outcome| policy.classify(outcome))
        .start()?;
    let mut status = handle.status();
    tokio::spawn(async move {
        while status.changed().await.is_ok() {
            let status = status.borrow_and_update().clone();
            match status.cause {
                Some(cause) => println!("  {:?}, after: {cause}", status.phase),
                None => println!("  {:?}", status.phase),
            }
        }
    });

    println!("the server falls silent");
    server.wait_for(|seen| seen.grants.len() == 2).await;

    println!("the stream ends, and another has the lease");
    server.wait_for(|seen| seen.heartbeats.len() == 4).await;
    let conflict = Fault::First(1, Box::new(Fault::Status(409)));
    server.region().set_at(WatchServer::WATCH, conflict).await;
    server.send(Piece::End);
    server.wait_for(|seen| seen.grants.len() == 3).await;

    println!("the server calls");
    server.wake(r#"{"url": "wss://room.example.com", "token": "t"}"#);
    let Closed::Exited(exit) = handle.closed().await? else {
        return Err("it was not called".into());
    };
    let Exit::Done { value: call, .. } = &*exit else {
        return Err(format!("not a call: {exit:?}").into());
    };
    println!("to {}, for {:?}", call.url, call.viewer_wait);

    let seen = server.seen();
    let previous: Vec<_> = seen.grants.iter().map(|grant| &grant.previous).collect();
    println!("leases taken over: {previous:?}");
    // By the second watch from the first, and by the third, after the conflict, from none.
    if previous != [&None, &Some("eu-lease-1".to_owned()), &None] || !seen.overlaps().is_empty() {
        return Err("the leases went another way".into());
    }
    Ok(())
}
