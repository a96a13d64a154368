//! Servers that fail, and a coordinator that does.

use failover_cluster::{SessionServer, session_server::Mode};
use tokio::time::{Duration, timeout};
use tower_failover::session::{CauseKind, Directive, ErrorKind, Outcome};

use super::{asked, join, page::classify, servers, settings, told};
use crate::sockets::{Act, MS, PATIENCE, at, healthy, lines::Fault, until, up};

#[tokio::test]
async fn a_full_server_is_told_to_the_coordinator_and_not_dialed_again() {
    // S09, S20, S42.
    let (servers, coordinator) = servers(&["a", "b"]).await;
    servers[0].set(Mode::Full).await;
    let call = join(&coordinator, settings());
    healthy(&call, "b").await;
    assert_eq!(
        coordinator.asked(),
        [asked(&[], None), asked(&["a"], Some("a"))]
    );
    assert_eq!(servers[0].seen().connections.len(), 1);
    let seen = servers[1].seen();
    assert_eq!(told(&seen.joins[0]), (None, Some("a")));
    // S06.
    assert_eq!(Some(call.current().unwrap().client), seen.joins[0].welcome);
}

#[tokio::test]
async fn a_full_server_stays_excluded_when_another_accepts_and_closes() {
    // S19 and S22 as of SW4: cleared by a healthy run, not by a connection.
    let (servers, coordinator) = servers(&["a", "b", "c"]).await;
    servers[0].set(Mode::Full).await;
    servers[1].set(Mode::WelcomeThenClose(Duration::ZERO)).await;
    let call = join(&coordinator, settings());
    healthy(&call, "c").await;
    // S21.
    let last = coordinator.asked().pop().unwrap();
    assert_eq!(last, asked(&["a", "b"], Some("b")));
    assert_eq!(servers[0].seen().connections.len(), 1);
    // S03: the third failure moves.
    assert_eq!(servers[1].seen().connections.len(), 3);

    // The healthy run forgave: a is free again.
    servers[0].set(Mode::Accept).await;
    servers[2].advise("MIGRATE");
    up(&call, "a").await;
    let last = coordinator.asked().pop().unwrap();
    assert_eq!(last, asked(&["c"], Some("c")));
}

#[tokio::test]
async fn two_failures_stay_and_the_third_moves() {
    // S01, S02, S03, S11.
    for (failures, server) in [(1, "a"), (2, "a"), (3, "b")] {
        let (servers, coordinator) = servers(&["a", "b"]).await;
        let fails = Box::new(Mode::Close(Duration::ZERO));
        servers[0].set(Mode::First(failures, fails)).await;
        let call = join(&coordinator, settings());
        healthy(&call, server).await;
        let moved = usize::from(server == "b");
        let dials = [3 - usize::from(failures == 1), moved];
        let seen = [&servers[0], &servers[1]].map(|server| server.seen().connections.len());
        assert_eq!(seen, dials, "{failures}");
        assert_eq!(coordinator.asked().len(), 1 + moved, "{failures}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_left_at_the_third_time() {
    // SW1.
    let (servers, coordinator) = servers(&["a", "b"]).await;
    servers[0].set(Mode::Refuse).await;
    let call = join(&coordinator, settings().healthy_after(PATIENCE));
    let status = up(&call, "b").await;
    assert_eq!((status.epoch, status.attempt), (1, 4));
    assert_eq!(coordinator.asked()[1], asked(&["a"], Some("a")));
}

#[tokio::test]
async fn a_session_that_is_lost_is_resumed_in_its_place() {
    // S23, S28; S30 and S31 as of SW8: that the server closed it is no reason to leave it at that.
    let losses: [(&str, Act); 4] = [
        ("FIN", SessionServer::close),
        ("RST", SessionServer::reset),
        ("BYE", |server| server.bye(1002)),
        ("silence", SessionServer::silence),
    ];
    for (name, lose) in losses {
        let (servers, coordinator) = servers(&["a", "b"]).await;
        let call = join(&coordinator, settings());
        healthy(&call, "a").await;
        lose(&servers[0]);
        let status = until(&call, |status| status.epoch == 2).await;
        assert_eq!(at(&status), "a", "{name}");
        assert_eq!(servers[0].seen().resumed(), 1, "{name}");
        assert_eq!(coordinator.asked().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_token_is_not_shown_once_its_time_is_over() {
    let (servers, coordinator) = servers(&["a", "b"]).await;
    let call = join(&coordinator, settings().resume_window(50 * MS));
    healthy(&call, "a").await;
    servers[0].set(Mode::Refuse).await;
    up(&call, "b").await;
    let joined = servers[1].seen();
    assert_eq!(told(&joined.joins[0]).0, None);
}

#[tokio::test]
async fn a_coordinator_that_refuses_is_asked_again() {
    let (servers, coordinator) = servers(&["a"]).await;
    coordinator.refuse(2);
    let call = join(&coordinator, settings().healthy_after(PATIENCE));
    let status = up(&call, "a").await;
    assert_eq!(status.cause.unwrap().kind(), CauseKind::NoRegion);
    assert_eq!((status.attempt, coordinator.asked().len()), (3, 3));
    assert_eq!(servers[0].seen().connections.len(), 1);
}

#[tokio::test]
async fn ten_attempts_are_the_most() {
    // S33 with servers that are left: X01.
    let (servers, coordinator) = servers(&["a", "b", "c", "d"]).await;
    for server in &servers {
        server.set(Mode::Close(Duration::ZERO)).await;
    }
    let call = join(&coordinator, settings());
    let error = timeout(PATIENCE, call.closed()).await.unwrap();
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Attempts, 10));
    let dials = servers.iter().map(|server| server.seen().connections.len());
    assert_eq!(dials.collect::<Vec<_>>(), [3, 3, 3, 1]);
}

#[tokio::test]
async fn a_busy_server_is_waited_for_and_one_that_lets_nobody_in_is_not() {
    // S53.
    let (servers, coordinator) = servers(&["a", "b"]).await;
    let busy = Box::new(Mode::Busy(300 * MS));
    servers[0].set(Mode::First(1, busy)).await;
    let call = join(&coordinator, settings());
    healthy(&call, "a").await;
    let joins = servers[0].seen().joins;
    assert!(joins[1].at - joins[0].at >= 300 * MS);

    servers[0].set(Mode::Unauthorized).await;
    servers[0].close();
    let error = timeout(PATIENCE, call.closed()).await.unwrap();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Failed);
    let dials = [&servers[0], &servers[1]].map(|server| server.seen().connections.len());
    assert_eq!(dials, [3, 0]);
}

#[test]
fn what_is_said_of_the_servers_is_as_in_the_table() {
    // S09 to S14, S53, S57.
    for (fault, directive) in [
        (Fault::Full, Directive::migrate()),
        (Fault::Busy(MS), Directive::retry().after(MS)),
        (Fault::Unauthorized, Directive::fail()),
        (Fault::Silent, Directive::resume()),
        (Fault::Bye("1002".to_owned()), Directive::resume()),
    ] {
        let directive = directive.because(fault.to_string());
        let exit = Err(fault);
        let failed = classify(Outcome::ConnectFailed(exit.as_ref().unwrap_err()));
        let exited = classify(Outcome::exited(&exit, MS, true));
        assert_eq!((&failed, &exited), (&directive, &directive), "{exit:?}");
    }
    assert_eq!(classify(Outcome::TimedOut), Directive::resume());
}
