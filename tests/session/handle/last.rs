//! When the last handle is gone nothing is left.

use std::{convert::Infallible, future::pending};

use tower::service_fn;
use tower_failover::{
    Discovery, Query, RegionList, Regions,
    session::{Phase, Supervisor, Targets},
};

use super::{ALL, State, slow};
use crate::support::{Play::Up, Script, settle, tasks};

#[tokio::test(start_paused = true)]
async fn nothing_is_left_in_any_state() {
    for state in ALL {
        let (script, handle) = state.reach(slow()).await;
        let dials = script.dials().len();
        let other = handle.clone();
        drop(handle);
        settle().await;
        assert_eq!(
            script.open(),
            state.open(),
            "{state:?}: there is another handle"
        );
        assert_eq!(
            (script.dialing(), tasks()),
            (state.dialing(), 1),
            "{state:?}"
        );
        drop(other);
        settle().await;
        assert_eq!((script.open(), script.dialing()), (0, 0), "{state:?}");
        assert_eq!((script.dials().len(), tasks()), (dials, 0), "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_while_sessions_are_closed() {
    for state in ALL.into_iter().filter(|state| state.open() > 0) {
        let (script, handle) = state.reach(slow()).await;
        for n in 0..script.sessions() {
            script.slow_to_close(n, super::Duration::MAX);
        }
        let shutdown = tokio::time::timeout(super::SOON, handle.shutdown());
        assert!(shutdown.await.is_err(), "{state:?}");
        assert_eq!(script.open(), state.open(), "{state:?}");
        drop(handle);
        settle().await;
        assert_eq!((script.open(), tasks()), (0, 0), "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_before_it_began() {
    let script = Script::new([Up]);
    drop(crate::support::start("a", &script, slow()));
    settle().await;
    assert_eq!((script.dials().len(), tasks()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_while_a_list_is_fetched() {
    let script = Script::new([Up]);
    let source = service_fn(|_: Query| pending::<Result<RegionList, Infallible>>());
    let targets = Targets::from(Regions::discover(Discovery::service(source)));
    let targets = targets.coordinator("https://api.example.com").unwrap();
    let supervisor = Supervisor::new(targets, script.clone()).settings(slow());
    let handle = supervisor.start().unwrap();
    settle().await;
    assert!(tasks() > 0);
    drop(handle);
    settle().await;
    assert_eq!((script.dials().len(), tasks()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_of_the_status_does_not_keep_it_running() {
    let (script, handle) = State::Connected.reach(slow()).await;
    let mut status = handle.status();
    drop(handle);
    settle().await;
    assert_eq!((script.open(), tasks()), (0, 0));
    assert_eq!(status.borrow_and_update().phase, Phase::Stopped);
    assert!(status.changed().await.is_err());
}
