//! A home that goes out before it is known to have others.

use std::time::Duration;

use failover_cluster::{Fault, Server};
use http::Request;
use http_body_util::Full;
use tower_failover::Health;

use crate::support::*;

/// Its calls may not be replayed, so nobody asks for the list until it is out.
#[tokio::test]
async fn a_home_that_went_out_alone_is_probed_once_a_list_names_another() {
    let (home, other) = (Server::http1("home").await, Server::http1("other").await);
    home.set(Fault::Status(503)).await;
    home.set_at(PATH, lists(&[home.origin(), other.origin()]))
        .await;
    let soon = Duration::from_millis(20);
    let layer = layer().health(Health::default().probe_every(soon, soon));
    let client = client(&layer);
    for _ in 0..2 {
        let post = Request::post(home.origin()).body(Full::default()).unwrap();
        assert_eq!(answer(&client, post).await, (503, "home".to_owned()));
    }
    assert_eq!(home.hits_at(PATH), 0);
    for _ in 0..3 {
        assert_eq!(answer(&client, get(&home.origin())).await.1, "other");
    }
    assert_eq!(home.hits_at(PATH), 1);
    let probed = async {
        while !home.requests_at("/").iter().any(|r| r.method == "HEAD") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), probed)
        .await
        .expect("a probe");
}
