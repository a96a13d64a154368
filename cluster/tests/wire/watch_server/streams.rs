use std::time::Duration;

use failover_cluster::WatchServer;
use failover_cluster::watch_server::Piece;

use super::{Watch, get, hello, send_h2};
use crate::support::within;

/// What is read from a stream that begins so, to its clean end.
async fn text_of(server: &WatchServer, opening: &[Piece]) -> Watch {
    server.next_opening(opening);
    server.expire();
    let mut watch = Watch::open(server, "").await;
    watch.read_to_end().await;
    watch
}

#[tokio::test]
async fn a_stream_wakes_its_device_between_comments() {
    within(async {
        let server = WatchServer::http1("eu").await;
        server.keep_alive(Duration::from_millis(5));
        let mut watch = Watch::open(&server, "").await;
        watch.read_until(&hello("eu-lease-1")).await;
        watch.read_until(": keep-alive\n\n: keep-alive\n\n").await;
        server.wake(r#"{"url":"there"}"#);
        watch
            .read_until("event: wake\ndata: {\"url\":\"there\"}\n\n")
            .await;
        server.send(Piece::Hello);
        watch.read_until(&hello("eu-lease-1")).await;
        drop(watch);
        server.wait_for(|seen| seen.live == 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_stream_begins_as_it_is_told() {
    within(async {
        let server = WatchServer::http1("eu").await;
        let opening = [
            Piece::Comment("hi".to_owned()),
            Piece::event("other", "1\n2"),
            Piece::event("hello", "{"),
            Piece::Hello,
            Piece::Text("data: half".to_owned()),
            Piece::End,
        ];
        let watch = text_of(&server, &opening).await;
        let other = "event: other\ndata: 1\ndata: 2\n\nevent: hello\ndata: {\n\n";
        let text = format!(": hi\n\n{other}{}data: half", hello("eu-lease-1"));
        assert_eq!(watch.text, text);
        // Each opening is for one stream, and then the usual one is back.
        assert_eq!(text_of(&server, &[Piece::End]).await.text, "");
        server.expire();
        let mut watch = Watch::open(&server, "").await;
        watch.read_until(&hello("eu-lease-3")).await;

        server.opening([Piece::End]);
        for _ in 0..2 {
            server.expire();
            let mut watch = Watch::open(&server, "").await;
            watch.read_to_end().await;
            assert_eq!(watch.text, "");
        }
    })
    .await;
}

#[tokio::test]
async fn a_hello_is_late_or_never_comes() {
    within(async {
        let server = WatchServer::http1("eu").await;
        server.keep_alive(Duration::from_millis(20));
        let wait = Duration::from_millis(100);
        let start = tokio::time::Instant::now();
        server.next_opening([Piece::Wait(wait), Piece::Hello]);
        let mut watch = Watch::open(&server, "").await;
        server.wake("{}");
        watch.read_until("event: wake\ndata: {}\n\n").await;
        assert!(start.elapsed() >= wait);
        assert!(watch.text.starts_with(": keep-alive\n\n"));
        // What was sent meanwhile comes after it.
        let end = format!("{}event: wake\ndata: {{}}\n\n", hello("eu-lease-1"));
        assert!(watch.text.ends_with(&end), "{:?}", watch.text);

        server.expire();
        server.opening([]);
        let mut watch = Watch::open(&server, "").await;
        watch.read_until(": keep-alive\n\n: keep-alive\n\n").await;
        assert!(!watch.text.contains("hello"));
    })
    .await;
}

#[tokio::test]
async fn an_end_does_not_wait() {
    within(async {
        let server = WatchServer::http1("eu").await;
        for held in [Piece::Wait(Duration::from_secs(3600)), Piece::Silence] {
            server.next_opening([Piece::Hello, held.clone()]);
            server.expire();
            let mut watch = Watch::open(&server, "").await;
            watch.read_until("\n\n").await;
            server.send(Piece::End);
            watch.read_to_end().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_silent_stream_stays_open_without_a_word() {
    within(async {
        let server = WatchServer::http1("eu").await;
        server.keep_alive(Duration::from_millis(5));
        let mut watch = Watch::open(&server, "").await;
        watch.read_until(": keep-alive\n\n").await;
        server.send(Piece::Silence);
        server.wake("{}");
        let quiet = Duration::from_millis(100);
        while tokio::time::timeout(quiet, watch.read()).await.is_ok() {}
        assert!(!watch.text.contains("wake"));
        assert_eq!(server.seen().live, 1);
    })
    .await;
}

#[tokio::test]
async fn a_stream_breaks_off_within_an_event() {
    within(async {
        let server = WatchServer::http1("eu").await;
        for last in [Piece::Cut, Piece::Reset] {
            server.expire();
            let mut watch = Watch::open(&server, "").await;
            watch.read_until("\n\n").await;
            server.send(Piece::Text("event: wa".to_owned()));
            server.send(last.clone());
            let error = watch.read_to_error().await;
            // An RST may overtake the text.
            match last {
                Piece::Cut => assert!(watch.text.ends_with("event: wa"), "{error}"),
                _ => assert!(!error.is_incomplete_message(), "{error}"),
            }
            server.wait_for(|seen| seen.live == 0).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_goes_byte_by_byte_and_with_other_line_ends() {
    within(async {
        let server = WatchServer::http1("eu").await;
        server.bytewise(true);
        server.line_end("\r\n");
        let watch = text_of(&server, &[Piece::event("wake", "{}"), Piece::End]).await;
        assert_eq!(watch.text, "event: wake\r\ndata: {}\r\n\r\n");
        assert_eq!(watch.frames, watch.text.len());
        server.bytewise(false);
        let watch = text_of(&server, &[Piece::Comment(String::new()), Piece::End]).await;
        assert_eq!((&*watch.text, watch.frames), (": \r\n\r\n", 1));
    })
    .await;
}

#[tokio::test]
async fn a_line_may_have_no_end() {
    within(async {
        let server = WatchServer::http1("eu").await;
        server.opening([Piece::Hello, Piece::Endless]);
        let mut watch = Watch::open(&server, "").await;
        while watch.text.len() < 1024 * 1024 {
            assert!(watch.read().await.unwrap());
        }
        assert_eq!(watch.text.matches('\n').count(), 3);
        drop(watch);
        server.wait_for(|seen| seen.live == 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_hello_may_be_of_another_kind() {
    within(async {
        let server = WatchServer::http1("eu").await;
        server.hello(|lease| ("ready".to_owned(), format!(r#"{{"lease":"{lease}"}}"#)));
        let mut watch = Watch::open(&server, "").await;
        watch
            .read_until("event: ready\ndata: {\"lease\":\"eu-lease-1\"}\n\n")
            .await;
        assert_eq!(watch.frames, 1);
    })
    .await;
}

#[tokio::test]
async fn a_stream_goes_over_http2() {
    within(async {
        let server = WatchServer::h2c("eu").await;
        let answer = send_h2(server.region(), get(&server, "")).await;
        let mut watch = Watch::new(answer);
        watch.read_until(&hello("eu-lease-1")).await;
        server.send(Piece::Text("event: wa".to_owned()));
        server.send(Piece::Cut);
        watch.read_to_error().await;
        assert!(watch.text.ends_with("event: wa"));

        server.expire();
        server.next_opening([Piece::Hello, Piece::End]);
        let answer = send_h2(server.region(), get(&server, "")).await;
        let mut watch = Watch::new(answer);
        watch.read_to_end().await;
        assert_eq!(watch.text, hello("eu-lease-2"));
        server.wait_for(|seen| seen.live == 0).await;
    })
    .await;
}
