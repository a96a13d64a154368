//! Two things at the same instant, each with each.

use tower_failover::session::*;

use super::*;

#[tokio::test(start_paused = true)]
async fn no_two_things_at_once_confuse_it() {
    type Act = (&'static str, fn(&Handle<Exit, usize>, &Script));
    let acts: [Act; 11] = [
        ("migrate", |h, _| h.kick(Directive::migrate())),
        ("rejoin", |h, _| h.kick(Directive::rejoin())),
        ("retry", |h, _| h.kick(Directive::retry().after(SECOND))),
        ("finish", |h, _| h.kick(Directive::finish())),
        ("pause", |h, _| h.pause()),
        ("unpause", |h, _| h.unpause()),
        ("advice", |_, s| {
            if s.sessions() > 0 && !s.dropped(0) {
                s.advise(0, Directive::migrate().within(SECOND))
            }
        }),
        ("advice rejoin", |_, s| {
            if s.sessions() > 0 && !s.dropped(0) {
                s.advise(0, Directive::rejoin())
            }
        }),
        ("exit", |_, s| {
            if s.sessions() > 0 && !s.dropped(0) {
                let _ = s.peer(0, |p| p.events.send(Event::Closed("x")));
            }
        }),
        ("token", |_, s| {
            if s.sessions() > 0 && !s.dropped(0) {
                let _ = s.peer(0, |p| p.events.send(Event::Resume(9)));
            }
        }),
        ("shutdown", |h, _| {
            let _ = futures_util::FutureExt::now_or_never(h.shutdown());
        }),
    ];
    for plays in [
        vec![Hang],
        vec![Refuse("no")],
        vec![Up, Hang],
        vec![Up, Refuse("no")],
        vec![Up],
    ] {
        for first in 0..acts.len() {
            for second in 0..acts.len() {
                for at in [1, 60, 1000, 1001, 1100] {
                    let name = format!("{plays:?} {} {} at {at}", acts[first].0, acts[second].0);
                    let script = Script::new(plays.clone());
                    let handle = start("abc", &script, settings().drain(1100 * MS));
                    tokio::time::sleep(at * MS).await;
                    (acts[first].1)(&handle, &script);
                    (acts[second].1)(&handle, &script);
                    let ends = [first, second]
                        .iter()
                        .any(|&n| ["finish", "shutdown"].contains(&acts[n].0));
                    let before = script.dials().len();
                    if ends {
                        tokio::time::timeout(60 * SECOND, handle.closed())
                            .await
                            .expect(&name)
                            .expect(&name);
                        assert_eq!(script.dials().len(), before, "{name}");
                        assert_eq!(script.open(), 0, "{name}");
                        continue;
                    }
                    tokio::time::sleep(5 * SECOND).await;
                    let paused = {
                        let both = [first, second];
                        let last_pause = both
                            .iter()
                            .rev()
                            .find(|&&n| ["pause", "unpause"].contains(&acts[n].0));
                        last_pause.is_some_and(|&n| acts[n].0 == "pause")
                    };
                    let serving = handle.current().is_some();
                    if paused {
                        assert_eq!(script.dialing(), 0, "{name}");
                        let n = script.dials().len();
                        tokio::time::sleep(60 * SECOND).await;
                        assert_eq!(script.dials().len(), n, "{name}");
                    } else {
                        let dialing = script.dialing() > 0;
                        let waits = handle.status().borrow().next_at.is_some();
                        assert!(
                            serving || dialing || waits,
                            "{name}: {:?}",
                            handle.status().borrow()
                        );
                    }
                    assert!(
                        script.most_open() <= 2 && script.most_dialing() <= 1,
                        "{name}"
                    );
                    assert!(
                        script.gaps().iter().skip(1).all(|g| *g >= 50),
                        "{name} {:?}",
                        script.gaps()
                    );
                    let live = handle.current().map(|l| l.client);
                    if let Some(n) = live {
                        assert!(!script.dropped(n) && script.closed(n).is_none(), "{name}");
                    }
                    drop(handle);
                    settle().await;
                    assert_eq!((script.open(), script.dialing()), (0, 0), "{name}");
                }
            }
        }
    }
}
