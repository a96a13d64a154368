//! Requests that get no stream.

use std::time::Duration;

use bytes::Bytes;
use failover_cluster::{Fault, WatchServer};
use http::Request;
use http_body_util::Full;
use tokio::runtime::Handle;

use super::{Watch, beat, get, send};
use crate::support::within;

#[tokio::test]
async fn the_next_watch_gets_the_status_that_its_path_is_given() {
    within(async {
        let server = WatchServer::http1("eu").await;
        for status in [401, 403, 404, 409, 429, 503] {
            let retry = vec![("retry-after", "7".to_owned())];
            let fault = Fault::First(1, Box::new(Fault::StatusWith(status, retry)));
            server.region().set_at(WatchServer::WATCH, fault).await;
            let answer = send(server.region(), get(&server, "")).await;
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()["retry-after"], "7");
        }
        Watch::open(&server, "").await;
        let seen = server.seen();
        assert_eq!((seen.gets.len(), seen.grants.len()), (7, 1));
    })
    .await;
}

#[tokio::test]
async fn a_page_is_no_stream() {
    within(async {
        let server = WatchServer::http1("eu").await;
        let html = vec![("content-type", "text/html; charset=utf-8".to_owned())];
        let page = Fault::Answer(200, html, Bytes::from_static(b"<p>Sign in"));
        server.region().set_at(WatchServer::WATCH, page).await;
        let answer = send(server.region(), get(&server, "")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert!(server.seen().grants.is_empty());
    })
    .await;
}

#[tokio::test]
async fn heartbeats_get_the_status_that_their_path_is_given() {
    within(async {
        let server = WatchServer::http1("eu").await;
        let _watch = Watch::open(&server, "").await;
        for status in [401, 409, 410, 500] {
            let fault = Fault::Status(status);
            server.region().set_at(WatchServer::HEARTBEAT, fault).await;
            assert_eq!(beat(&server, "eu-lease-1").await, status);
        }
        let path = WatchServer::HEARTBEAT;
        server.region().set_at(path, Fault::BlackHole).await;
        tokio::select! {
            status = beat(&server, "eu-lease-1") => panic!("the heartbeat was answered {status}"),
            _ = server.wait_for(|seen| seen.heartbeats.len() == 5) => {}
        }
        server.region().clear_at(path).await;
        assert_eq!(beat(&server, "eu-lease-1").await, 200);
        let beats = server.seen().heartbeats;
        assert!(beats.iter().all(|beat| beat.lease == "eu-lease-1"));
        assert!(beats.is_sorted_by_key(|beat| beat.at));
    })
    .await;
}

#[tokio::test]
async fn what_is_neither_watch_nor_heartbeat_is_not_found() {
    within(async {
        let server = WatchServer::http1("eu").await;
        let origin = server.origin();
        for (method, path, status) in [
            ("GET", "/", 404),
            ("POST", "/watch", 404),
            ("GET", "/watch/heartbeat", 404),
            ("POST", "/watch/heartbeat", 400),
        ] {
            let request = Request::builder().method(method);
            let request = request.uri(format!("{origin}{path}"));
            let request = request.body(Full::from("{}")).unwrap();
            assert_eq!(send(server.region(), request).await.status(), status);
        }
    })
    .await;
}

#[tokio::test]
async fn a_watch_is_recorded_with_its_query_and_headers() {
    within(async {
        let server = WatchServer::http1("eu").await;
        let before = tokio::time::Instant::now();
        let mut request = get(&server, "?protocolVersion=1&previousWatchLeaseId=old");
        let token = "DeviceToken a".parse().unwrap();
        request.headers_mut().insert("authorization", token);
        let _watch = Watch::new(send(server.region(), request).await);

        let seen = server.wait_for(|seen| seen.live == 1).await;
        let get = &seen.gets[0];
        let query = get.uri.query();
        assert_eq!(query, Some("protocolVersion=1&previousWatchLeaseId=old"));
        assert_eq!(get.headers["accept"], "text/event-stream");
        let grant = &seen.grants[0];
        assert_eq!(grant.device, "DeviceToken a");
        assert_eq!(grant.lease, "eu-lease-1");
        assert_eq!(grant.previous.as_deref(), Some("old"));
        assert!(before <= get.at && get.at <= grant.at);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_watch_server_is_gone_with_its_streams() {
    within(async {
        let server = WatchServer::http1("eu").await;
        server.keep_alive(Duration::from_millis(1));
        let mut watch = Watch::open(&server, "").await;
        drop(server);
        watch.read_to_error().await;
        // The client's goes with its connection too.
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
