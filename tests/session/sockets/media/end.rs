//! What ends it all, and what is left then.

use failover_cluster::session_server::{Mode, Reason};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tower_failover::{
    Regions,
    session::{Closed, Directive, ErrorKind, Outcome, Phase},
};

use super::{page::classify, publish, settings};
use crate::sockets::{A_WHILE, MS, PATIENCE, healthy, lines::Fault, regions, start, until, up};

/// A relay of which only its port and what is sent to it are known.
async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    (listener, origin)
}

/// Takes a connection up to its first line.
async fn joined(listener: &TcpListener) -> BufReader<TcpStream> {
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("JOIN "), "{line}");
    stream
}

/// Waits until the peer has closed it.
async fn gone(stream: &mut BufReader<TcpStream>) {
    let mut line = String::new();
    let read = timeout(PATIENCE, stream.read_line(&mut line)).await;
    assert!(matches!(read.expect("in time"), Ok(0) | Err(_)), "{line}");
}

#[tokio::test]
async fn a_relay_that_lets_nobody_in_is_asked_once() {
    // M07.
    let relays = start(&["eu", "us"]).await;
    relays[0].set(Mode::Unauthorized).await;
    let publisher = publish(regions(&relays), settings());
    let error = timeout(PATIENCE, publisher.closed()).await.unwrap();
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Failed, 1));
    let cause = error.cause().unwrap();
    assert!(matches!(cause.downcast_ref(), Some(Fault::Unauthorized)));
    sleep(A_WHILE).await;
    let dials = relays.iter().map(|relay| relay.seen().connections.len());
    assert_eq!(dials.collect::<Vec<_>>(), [1, 0]);
}

#[tokio::test]
async fn a_relay_that_throws_us_out_is_not_asked_again() {
    // M36.
    let relays = start(&["eu", "us"]).await;
    let publisher = publish(regions(&relays), settings());
    healthy(&publisher, "eu").await;
    relays[0].bye(403);
    let error = timeout(PATIENCE, publisher.closed()).await.unwrap();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert_eq!(
        error.cause().unwrap().reason(),
        Some("the server closed with 403")
    );
    sleep(A_WHILE).await;
    let dials = relays.iter().map(|relay| relay.seen().connections.len());
    assert_eq!(dials.collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn a_settled_status_stops_and_another_does_not() {
    // M12, M28.
    for (status, stops) in [
        ("400", true),
        ("401", true),
        ("403", true),
        ("404", true),
        ("500", true),
        ("408", false),
        ("429", false),
        ("502", false),
        ("503", false),
        ("504", false),
        ("later", false),
    ] {
        let fault = Err(Fault::Bye(status.to_owned()));
        let expected = match stops {
            true => Directive::fail(),
            false => Directive::retry(),
        };
        let expected = expected.because(format!("the server closed with {status}"));
        let exited = classify(Outcome::exited(&fault, MS, true));
        let failed = classify(Outcome::ConnectFailed(fault.as_ref().unwrap_err()));
        assert_eq!((exited, failed), (expected.clone(), expected), "{status}");
    }
    assert_eq!(classify(Outcome::TimedOut), Directive::retry());
}

#[tokio::test]
async fn a_shutdown_reaches_the_relay_with_its_code() {
    // M37.
    for (code, reason) in [(0, Reason::Leave), (42, Reason::Abort("42".to_owned()))] {
        let relays = start(&["eu"]).await;
        let publisher = publish(regions(&relays), settings());
        up(&publisher, "eu").await;
        let shutdown = publisher.shutdown_with(code);
        timeout(PATIENCE, shutdown).await.unwrap();
        // It waited until the relay had heard of it.
        assert!(relays[0].seen().ended(&reason), "{:?}", relays[0].seen());
        assert!(matches!(publisher.closed().await, Ok(Closed::Shutdown)));
    }
}

#[tokio::test]
async fn a_dropped_handle_closes_a_connection_that_is_being_made() {
    let (relay, origin) = listener().await;
    let publisher = publish(Regions::fixed([origin]).unwrap(), settings());
    let mut stream = joined(&relay).await;
    drop(publisher);
    gone(&mut stream).await;
}

#[tokio::test]
async fn a_dropped_handle_closes_the_session_that_is_up() {
    let relays = start(&["eu"]).await;
    let publisher = publish(regions(&relays), settings());
    up(&publisher, "eu").await;
    let live = publisher.current().unwrap();
    drop(publisher);
    let seen = relays[0].wait_for(|seen| seen.live == 0).await;
    assert!(seen.ended(&Reason::Lost));
    assert!(live.client.send("frame".to_owned()).await.is_err());
}

#[tokio::test]
async fn a_dropped_handle_closes_both_connections_of_a_migration() {
    let relays = start(&["eu"]).await;
    let (next, origin) = listener().await;
    let named = [("eu", relays[0].origin()), ("us", origin)];
    let publisher = publish(Regions::named(named).unwrap(), settings());
    healthy(&publisher, "eu").await;
    relays[0].go_away(None, None);
    let mut stream = joined(&next).await;
    assert_eq!(relays[0].seen().live, 1);
    drop(publisher);
    gone(&mut stream).await;
    let seen = relays[0].wait_for(|seen| seen.live == 0).await;
    assert!(seen.ended(&Reason::Lost));
}

#[tokio::test]
async fn a_dropped_handle_dials_no_more() {
    let relays = start(&["eu"]).await;
    relays[0].set(Mode::Full).await;
    let publisher = publish(regions(&relays), settings());
    until(&publisher, |status| status.phase == Phase::Waiting).await;
    drop(publisher);
    let dials = relays[0].seen().connections.len();
    sleep(2 * A_WHILE).await;
    assert_eq!(relays[0].seen().connections.len(), dials);
}
