//! A LiveKit project.

mod discovery;
mod failures;
mod twirp;

use failover_cluster::{LiveKit, Server};
use serde_json::Value;

use crate::support::{connect, get_at, send, within};

const ROOMS: &str = "/twirp/livekit.RoomService/CreateRoom";
const AUTH: (&str, &str) = ("authorization", "Bearer secret");

/// An answer in its parts.
#[derive(Debug)]
struct Answer(String);

impl Answer {
    fn status(&self) -> &str {
        &self.0["HTTP/1.1 ".len()..][..3]
    }

    fn header(&self, name: &str) -> Option<&str> {
        let (head, _) = self.0.split_once("\r\n\r\n").expect("a head");
        head.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(":").map(str::trim))
    }

    fn region(&self) -> Option<&str> {
        self.header("x-lk-mock-region")
    }

    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").expect("a head").1
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(self.body()).expect("JSON")
    }
}

/// Calls a method of the API over a connection of its own.
async fn call(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    Answer(send(&mut connect(server).await, "POST", path, headers, body).await)
}

/// Creates a room, with the secret.
async fn create(server: &Server, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[AUTH, ("content-type", "application/json")], headers].concat();
    call(server, ROOMS, &headers, r#"{"name":"lobby"}"#).await
}

/// As [`create`], with an `X-Lk-Mock` header.
async fn mocked(server: &Server, mock: &str) -> Answer {
    create(server, &[("x-lk-mock", mock)]).await
}

#[tokio::test]
async fn regions_are_servers_by_index() {
    within(async {
        let livekit = LiveKit::start(3).await;
        assert_eq!(livekit.regions().len(), 3);
        for (index, region) in livekit.regions().iter().enumerate() {
            assert_eq!(region.name(), format!("region-{index}"));
            assert_eq!(livekit.region(index).origin(), region.origin());
            assert_eq!(livekit.origin(index), region.origin());
            assert!(region.origin().starts_with("http://127.0.0.1:"));
        }
        let answer = create(livekit.region(1), &[]).await;
        assert_eq!(answer.header("x-region"), Some("region-1"));
        let hits: Vec<_> = livekit.regions().iter().map(Server::hits).collect();
        assert_eq!(hits, [0, 1, 0]);
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "there is no region-2")]
async fn an_index_beyond_the_regions_is_a_mistake() {
    LiveKit::start(2).await.origin(2);
}

#[tokio::test]
async fn health_is_ok_and_all_else_is_not_found() {
    within(async {
        let livekit = LiveKit::start(1).await;
        let server = livekit.region(0);
        for path in ["/", "/_test/health"] {
            let answer = Answer(get_at(&mut connect(server).await, path).await);
            assert_eq!((answer.status(), answer.body()), ("200", "ok"), "{path}");
        }
        for path in ["/settings", "/settings/regions/", "/rtc", "/twirp", ROOMS] {
            let answer = Answer(get_at(&mut connect(server).await, path).await);
            assert_eq!(answer.status(), "404", "{path}");
        }
        let no_methods = [
            "/twirp/livekit.RoomService",
            "/twirp/livekit.RoomService/",
            "/twirp/a/b",
        ];
        for path in no_methods
            .into_iter()
            .chain(["/settings/regions", "/twirp/a.B/C/D"])
        {
            assert_eq!(
                call(server, path, &[AUTH], "{}").await.status(),
                "404",
                "{path}"
            );
        }
    })
    .await;
}
