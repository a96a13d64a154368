//! The page "which failure is which", `docs/failures.md`: what every stack made of every scenario.
//!
//! The test writes the page anew and compares. Run it with `WRITE_PAGES=1` in the environment to keep
//! what it wrote, and read the difference.

use std::{env, fmt::Write, fs};

use tower_failover::{
    AttemptRecord,
    classify::{Blame, FailureKind, Reason, Verdict},
};

use crate::{
    odd::{Met, ODD, Odd, Wire, channels, hyper, reqwest},
    table::{Play, SCENARIOS, Stack, check},
};

const HEAD: &str = "\
# Which failure is which

What the clients of Rust give when a region fails, and what `tower-failover` reads from it. Each row is a call that a
test made, over real sockets on loopback, between the regions `home` and `other`, of which `other` is well; the page is
checked against what happens whenever the tests run (`tests/clients`).

- *The client gave* is the source chain of the error as far as its types are public, or the status.
- *Read as* is the verdict of the classifier (`classify::Http`, or `classify::Grpc`): whether the request was sent,
  why it failed, and what that means for the region's health. What was *perhaps sent* or *answered* is replayed only
  if it is replayable.
- *Requests* are those that reached `home` and `other`.

A GOAWAY is taken for *never sent* only where the client had begun to send the request's body, for hyper may report one
of a request that the server still accepts; see `classify::Http`. tonic over hyper-util gives what hyper-util gives.

The name that does not resolve is asked of a resolver of the test's own, whose error ends that chain. reqwest keeps two
timers for its connect timeout, hyper-util's and one around it, and so its error may end with either.
";

/// Plays all scenarios on a stack, and tells of them.
async fn section<S: Stack>(page: &mut String) {
    write!(
        page,
        "\n## {}\n\n| provoked at `home` | the client gave | read as | the caller got | requests |\n|---|---|---|---|---|\n",
        S::NAME
    )
    .unwrap();
    for scenario in SCENARIOS {
        let play = check::<S>(scenario).await;
        let (gave, read) = first(&play);
        let (home, other) = play.hits;
        writeln!(
            page,
            "| {} | {gave} | {read} | {} | {home}, {other} |",
            scenario.title(),
            play.end
        )
        .unwrap();
    }
}

/// Tells of further failures.
async fn more(page: &mut String, meet: impl AsyncFn(Odd) -> Met) {
    writeln!(
        page,
        "\n| further | the client gave | read as |\n|---|---|---|"
    )
    .unwrap();
    for odd in ODD {
        if let Some((gave, verdict)) = meet(odd).await {
            let read = read_as(&verdict);
            writeln!(page, "| {} | {gave} | {read} |", odd.title()).unwrap();
        }
    }
}

/// What the first attempt gave, and how that was read.
fn first(play: &Play) -> (String, String) {
    let record = play.attempts.first();
    if let Some(reason @ (Reason::AttemptTimeout | Reason::TotalTimeout)) =
        record.map(AttemptRecord::reason)
    {
        return (
            "nothing in time".to_owned(),
            format!("perhaps sent: {reason}"),
        );
    }
    let seen = play.seen.lock().unwrap();
    let (gave, verdict) = seen.first().expect("the classifier was asked");
    (gave.clone(), read_as(verdict))
}

fn read_as(verdict: &Verdict) -> String {
    let Verdict::Failed(failure) = verdict else {
        return format!("{verdict:?}").to_lowercase();
    };
    let kind = match failure.kind() {
        FailureKind::NeverSent => "never sent",
        FailureKind::Unknown => "perhaps sent",
        FailureKind::Answered => "answered",
        FailureKind::Declined => "declined",
        kind => panic!("{kind:?} has no name here"),
    };
    let blame = match failure.blamed() {
        Blame::None => "no blame",
        Blame::Weak => "a weak vote",
        Blame::Counted => "counts",
        Blame::Eject => "ejects",
        blame => panic!("{blame:?} has no name here"),
    };
    format!("{kind}: {}; {blame}", failure.reason())
}

#[cfg_attr(
    not(target_os = "linux"),
    ignore = "needs a kernel that drops what its queue of connections cannot take"
)]
#[tokio::test]
async fn the_page_on_failures_tells_what_happens() {
    let mut page = HEAD.to_owned();
    section::<crate::hyper::Http1>(&mut page).await;
    more(&mut page, async |odd| hyper(odd, Wire::Http1).await).await;
    section::<crate::hyper::H2c>(&mut page).await;
    more(&mut page, async |odd| hyper(odd, Wire::H2).await).await;
    section::<crate::reqwest::Http1>(&mut page).await;
    more(&mut page, async |odd| reqwest(odd, Wire::Http1).await).await;
    section::<crate::reqwest::H2c>(&mut page).await;
    more(&mut page, async |odd| reqwest(odd, Wire::H2).await).await;
    section::<crate::reqwest::MiddlewareHttp1>(&mut page).await;
    section::<crate::reqwest::MiddlewareH2c>(&mut page).await;
    section::<crate::tonic::OverHyper>(&mut page).await;
    section::<crate::tonic::OverChannels>(&mut page).await;
    more(&mut page, channels).await;

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/failures.md");
    if env::var_os("WRITE_PAGES").is_some() {
        fs::write(path, &page).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    for (is, ought) in written.lines().zip(page.lines()) {
        assert_eq!(is, ought, "see the top of this file");
    }
    assert_eq!(written.lines().count(), page.lines().count());
}
