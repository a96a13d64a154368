//! A call that is dropped: nothing goes on, nothing is lost.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body::Frame;
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};
use tower::{Layer, Service, ServiceExt, limit::ConcurrencyLimit};
use tower_failover::{Backoff, Budget, Error, FailoverLayer};

use crate::support::{Act, Gate, Readiness, Script, layer, no_wait, request, wait_of};

const S: Duration = Duration::from_secs(1);

/// A body of some frames, of which it is known whether it still exists.
struct Upload {
    frames: u32,
    /// Whether it ends after its frames; else it waits without end.
    ends: bool,
    _alive: Arc<()>,
}

impl Upload {
    fn new(ends: bool) -> (Self, Weak<()>) {
        let alive = Arc::new(());
        let weak = Arc::downgrade(&alive);
        let body = Self {
            frames: 3,
            ends,
            _alive: alive,
        };
        (body, weak)
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.frames > 0 {
            self.frames -= 1;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"frame")))));
        }
        if self.ends {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }
}

/// A moment of a call.
struct Moment {
    name: &'static str,
    acts: Vec<Act>,
    readiness: Vec<Readiness>,
    backoff: Backoff,
    budget: Budget,
    /// How long after its begin; `None` is before the first poll.
    at: Option<Duration>,
    /// How many attempts there are by then.
    sent: usize,
}

impl Moment {
    fn new(name: &'static str, acts: &[Act], at: impl Into<Option<Duration>>, sent: usize) -> Self {
        Self {
            name,
            acts: acts.to_vec(),
            readiness: Vec::new(),
            backoff: no_wait(),
            budget: Budget::default(),
            at: at.into(),
            sent,
        }
    }
}

fn moments() -> Vec<Moment> {
    // Answers before it has seen the end of the body, as the upload may have none.
    let early = Act::Early(503);
    let read = Act::AfterBody(Box::new(Act::Hang));
    let once = std::slice::from_ref(&early);
    vec![
        Moment::new("before it was polled", &[], None, 1),
        Moment::new("in the first attempt", &[Act::Hang], S, 1),
        Moment::new(
            "in the first attempt, in the body",
            std::slice::from_ref(&read),
            S,
            1,
        ),
        Moment {
            backoff: wait_of(10 * S),
            ..Moment::new("in the wait", once, S, 1)
        },
        Moment {
            readiness: vec![Readiness::Now, Readiness::Never],
            ..Moment::new("before it is ready again", once, S, 1)
        },
        Moment {
            readiness: vec![Readiness::Now, Readiness::After(2 * S)],
            ..Moment::new(
                "just after it is ready again",
                &[early.clone(), Act::Hang],
                3 * S,
                2,
            )
        },
        Moment::new("in the second attempt", &[early.clone(), Act::Hang], S, 2),
        Moment::new(
            "in the second attempt, in the body",
            &[early.clone(), read.clone()],
            S,
            2,
        ),
        Moment::new(
            "in the attempt after a silent one",
            &[Act::Hang, read],
            6 * S,
            2,
        ),
        Moment {
            backoff: wait_of(10 * S),
            ..Moment::new(
                "in the second wait",
                &[early.clone(), early.clone()],
                11 * S,
                2,
            )
        },
        Moment {
            budget: Budget::default().cap(0),
            ..Moment::new("in an attempt that went on", &[Act::Hang], 6 * S, 1)
        },
        Moment::new(
            "in the last attempt",
            &[early.clone(), early, Act::Hang],
            S,
            3,
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_call_can_be_dropped_at_any_moment() {
    for ends in [true, false] {
        for moment in moments() {
            dropped_at(moment, ends).await;
        }
    }
}

fn put(body: Upload) -> Request<Upload> {
    Request::put("http://a/x?y").body(body).unwrap()
}

/// The client, ready for a call.
async fn ready<S>(client: &mut S) -> &mut S
where
    S: Service<Request<Upload>, Error = Error>,
{
    client.ready().await.unwrap()
}

async fn dropped_at(moment: Moment, ends: bool) {
    let name = format!("{}, the body ends: {ends}", moment.name);
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let tasks_before = tasks();
    let script = Script::new(moment.acts);
    let gate = Gate::new(script.clone(), moment.readiness);
    let mut client = layer(3)
        .backoff(moment.backoff)
        .budget(moment.budget)
        .layer(ConcurrencyLimit::new(gate.clone(), 1));

    let (body, alive) = Upload::new(ends);
    let call = ready(&mut client).await.call(put(body));
    match moment.at {
        Some(at) => assert!(
            timeout(at, call).await.is_err(),
            "{name}: it ended by itself"
        ),
        None => drop(call),
    }

    let sent = script.asked().len();
    assert_eq!(sent, moment.sent, "{name}");
    assert_eq!((script.in_flight(), gate.reserved()), (0, 0), "{name}");
    assert!(alive.upgrade().is_none(), "{name}: the body is still there");
    assert_eq!(tasks(), tasks_before, "{name}");
    sleep(3600 * S).await;
    assert_eq!(script.asked().len(), sent, "{name}: it went on");

    let (body, alive) = Upload::new(true);
    let next = ready(&mut client).await.call(put(body));
    let response = timeout(S, next).await.expect(&name).unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{name}");
    assert_eq!(script.asked().len(), sent + 1, "{name}");
    assert_eq!(script.asked()[sent], "a", "{name}");
    assert_eq!(script.in_flight(), 0, "{name}");
    assert!(alive.upgrade().is_none(), "{name}");
}

/// A layer over two regions of which the first is silent.
fn impatient() -> FailoverLayer {
    layer(2).attempt_timeout(None)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_blames_nobody() {
    let script = Script::new(vec![Act::Hang; 10]);
    let client = impatient().layer(script.clone());
    for _ in 0..10 {
        let call = client.clone().oneshot(request(Method::GET));
        assert!(timeout(60 * S, call).await.is_err());
    }
    client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(script.asked(), ["a"; 11]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_client_does_not_end_its_calls() {
    let script = Script::new([Act::After(S, Box::new(Act::Status(503)))]);
    let layer = layer(2);
    let mut client = layer.layer(script.clone());
    let call = client.call(request(Method::GET));
    drop((client, layer));
    assert_eq!(call.await.unwrap().status(), StatusCode::OK);
    assert_eq!(script.asked(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_one_call_does_not_end_another() {
    let script = Script::new(vec![Act::After(9 * S, Box::new(Act::Status(201))); 2]);
    let client = impatient().layer(script.clone());
    let dropped = tokio::spawn(client.clone().oneshot(request(Method::GET)));
    let kept = tokio::spawn(client.oneshot(request(Method::GET)));
    sleep(S).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    assert_eq!(script.in_flight(), 1);
    assert_eq!(kept.await.unwrap().unwrap().status(), 201);
    assert_eq!(script.asked(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ended_leaves_no_task_behind() {
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let script = Script::new([Act::Hang, Act::Status(503)]);
    let client = layer(3).layer(script.clone());
    client.oneshot(request(Method::GET)).await.unwrap();
    assert_eq!((script.asked().len(), script.in_flight()), (3, 0));
    assert_eq!(tasks(), before);
}
