use std::{io, time::Duration};

use http::Method;
use tower::{Layer, ServiceExt};
use tower_failover::{
    Budget, Error, ErrorKind, Failover, FailoverLayer, Override, Replay, Served, Stop,
};

use crate::support::{Act, Script, layer, no_wait, request, timed};

const SECOND: Duration = Duration::from_secs(1);

/// What a request with this override ends with, and where its attempts went.
async fn outcome(
    layer: FailoverLayer,
    acts: impl IntoIterator<Item = Act>,
    method: Method,
    own: Override,
) -> (Result<u16, Error>, String) {
    let script = Script::new(acts);
    let result = send(&layer.backoff(no_wait()).layer(script.clone()), method, own).await;
    (result, script.asked().concat())
}

async fn send(client: &Failover<Script>, method: Method, own: Override) -> Result<u16, Error> {
    let mut request = request(method);
    request.extensions_mut().insert(own);
    let response = client.clone().oneshot(request).await?;
    Ok(response.status().as_u16())
}

fn refused() -> Act {
    Act::Fail(io::ErrorKind::ConnectionRefused)
}

fn slow(time: Duration) -> Act {
    Act::After(time, Act::Status(200).into())
}

#[tokio::test(start_paused = true)]
async fn an_empty_override_changes_nothing() {
    for own in [Override::new(), Override::default()] {
        let failures = vec![Act::Status(503); 9];
        let (result, asked) = outcome(layer(9), failures.clone(), Method::GET, own).await;
        assert_eq!((result.unwrap(), &*asked), (503, "abc"));
        let layer = layer(9).max_attempts(2).replay(Replay::Always);
        let (result, asked) = outcome(layer, failures, Method::POST, own).await;
        assert_eq!((result.unwrap(), &*asked), (503, "ab"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_with_failover_off_is_sent_once_whatever_fails() {
    let off = Override::new().enabled(false);
    for act in [Act::Status(503), Act::Status(500), refused()] {
        for own in [off, off.replay(Replay::Always).max_attempts(9)] {
            let (result, asked) = outcome(layer(3), [act.clone()], Method::GET, own).await;
            assert_ne!(result.unwrap_or(0), 200);
            assert_eq!(asked, "a", "{act:?}");
        }
    }
    let (error, _) = outcome(layer(3), [refused()], Method::GET, off).await;
    let error = error.unwrap_err();
    assert_eq!(
        (error.kind(), error.stop()),
        (ErrorKind::NeverSent, Some(Stop::Disabled))
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_with_failover_on_is_replayed() {
    let on = Override::new().enabled(true);
    let (result, asked) = outcome(layer(3), [refused()], Method::GET, on).await;
    assert_eq!((result.unwrap(), &*asked), (200, "ab"));
}

#[tokio::test(start_paused = true)]
async fn a_call_with_failover_off_goes_home_even_if_home_is_out() {
    let script = Script::new([refused()]);
    let client = layer(2).backoff(no_wait()).layer(script.clone());
    send(&client, Method::GET, Override::new()).await.unwrap();
    send(&client, Method::GET, Override::new()).await.unwrap();
    assert_eq!(script.asked().concat(), "abb");
    let mut request = request(Method::GET);
    request
        .extensions_mut()
        .insert(Override::new().enabled(false));
    let response = client.oneshot(request).await.unwrap();
    assert!(response.extensions().get::<Served>().is_none());
    assert_eq!(script.asked().concat(), "abba");
}

#[tokio::test(start_paused = true)]
async fn a_call_with_failover_off_may_take_its_time_but_no_more_than_the_total() {
    let off = Override::new().enabled(false);
    let acts = || [slow(60 * SECOND)];
    let call = outcome(layer(2), acts(), Method::GET, off);
    let ((result, asked), took) = timed(call).await;
    assert_eq!((result.unwrap(), &*asked, took), (200, "a", 60 * SECOND));
    let call = outcome(layer(2), acts(), Method::GET, off.total_timeout(SECOND));
    let ((result, asked), took) = timed(call).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((&*asked, took), ("a", SECOND));
}

#[tokio::test(start_paused = true)]
async fn failover_off_still_lets_the_wrong_region_send_a_request_on() {
    let off = Override::new().enabled(false);
    for status in [421, 451] {
        let (result, asked) = outcome(layer(3), [Act::Status(status)], Method::POST, off).await;
        assert_eq!((result.unwrap(), &*asked), (200, "ab"));
        let acts = [Act::Status(status), Act::Status(503)];
        let (result, asked) = outcome(layer(3), acts, Method::GET, off).await;
        assert_eq!((result.unwrap(), &*asked), (503, "ab"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_policy_of_the_requests_takes_the_place_of_the_layers() {
    for layers in [Replay::Safe, Replay::Always, Replay::Never] {
        for (own, get, post) in [
            (Replay::Safe, "ab", "a"),
            (Replay::Always, "ab", "ab"),
            (Replay::Never, "a", "a"),
        ] {
            let own = Override::new().replay(own);
            for (method, expected) in [(Method::GET, get), (Method::POST, post)] {
                let layer = layer(2).replay(layers);
                let (_, asked) = outcome(layer, [Act::Status(503)], method, own).await;
                assert_eq!(asked, expected, "{layers:?} {own:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_policy_keeps_what_was_never_sent() {
    let own = Override::new().replay(Replay::Never);
    let (result, asked) = outcome(layer(2), [refused()], Method::POST, own).await;
    assert_eq!((result.unwrap(), &*asked), (200, "ab"));
}

#[tokio::test(start_paused = true)]
async fn a_number_of_attempts_of_the_requests_takes_the_place_of_the_layers() {
    for layers in [0, 1, 2, 3, u32::MAX] {
        for (own, expected) in [
            (0, "a"),
            (1, "a"),
            (2, "ab"),
            (4, "abcd"),
            (u32::MAX, "abcd"),
        ] {
            let layer = layer(4).max_attempts(layers);
            let own = Override::new().max_attempts(own);
            let failures = vec![Act::Status(503); 9];
            let (result, asked) = outcome(layer, failures, Method::GET, own).await;
            assert_eq!(
                (result.unwrap(), &*asked),
                (503, expected),
                "{layers} {own:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_timeout_of_the_requests_takes_the_place_of_the_layers() {
    let minute = 60 * SECOND;
    for layers in [
        None,
        Some(Duration::ZERO),
        Some(5 * SECOND),
        Some(Duration::MAX),
    ] {
        for (own, expected, ends) in [
            (Some(Duration::ZERO), "ab", Duration::ZERO),
            (Some(2 * SECOND), "ab", 2 * SECOND),
            (Some(minute + SECOND), "a", minute),
            (Some(Duration::MAX), "a", minute),
            (None, "a", minute),
        ] {
            let layer = layer(2).attempt_timeout(layers);
            let own = Override::new().attempt_timeout(own);
            let call = outcome(layer, [slow(minute)], Method::GET, own);
            let ((result, asked), took) = timed(call).await;
            assert_eq!(result.unwrap(), 200);
            assert_eq!((&*asked, took), (expected, ends), "{layers:?} {own:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_total_timeout_of_the_requests_takes_the_place_of_the_layers() {
    let minute = 60 * SECOND;
    for layers in [
        None,
        Some(Duration::ZERO),
        Some(5 * SECOND),
        Some(Duration::MAX),
    ] {
        for (own, ends) in [
            (Some(Duration::ZERO), Some(Duration::ZERO)),
            (Some(2 * SECOND), Some(2 * SECOND)),
            (Some(minute + SECOND), None),
            (Some(Duration::MAX), None),
            (None, None),
        ] {
            let layer = layer(1).total_timeout(layers);
            let own = Override::new().total_timeout(own);
            let call = outcome(layer, [slow(minute)], Method::GET, own);
            let ((result, asked), took) = timed(call).await;
            match ends {
                Some(end) => {
                    assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
                    assert_eq!(took, end, "{layers:?} {own:?}");
                }
                None => assert_eq!((result.unwrap(), took), (200, minute), "{layers:?} {own:?}"),
            }
            assert_eq!(asked, "a");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_override_is_for_its_own_request_alone() {
    let failures = vec![Act::Status(503); 9];
    let script = Script::new(failures);
    let layer = layer(2).backoff(no_wait()).budget(Budget::unlimited());
    let client = layer.layer(script.clone());
    let own = Override::new().replay(Replay::Always).max_attempts(2);
    send(&client, Method::POST, own).await.unwrap();
    assert_eq!(script.seen().len(), 2);
    client.oneshot(request(Method::POST)).await.unwrap();
    assert_eq!(script.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_override_does_not_lift_the_budget() {
    let own = Override::new().replay(Replay::Always).max_attempts(9);
    let layer = layer(2).budget(Budget::default().cap(0));
    let (result, asked) = outcome(layer, [Act::Status(503)], Method::GET, own).await;
    assert_eq!((result.unwrap(), &*asked), (503, "a"));
}
