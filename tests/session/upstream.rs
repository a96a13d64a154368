//! What three systems test of their own reconnecting, asked of a supervisor with their rules on top.
//!
//! S is a video SDK, F a watch with leases, M a media transport. Each has a page of user code, which is
//! its classifier, and rows that name its cases. Where a case wants what was not chosen here, the row
//! says what is instead. Where they all are:
//!
//! | case | where |
//! |---|---|
//! | S01-S05, S07, S09-S14 | [`video::moves`], the classifier in [`video`] |
//! | S15, S16, S18 | `session::exclusions` |
//! | S06, S08, S17, S19-S22 | [`video::excluded`]; `OnConnect` also in `session::course` |
//! | S23-S31, S33 | the classifier in [`video`], [`video::moves`] |
//! | S32, S34-S45 | [`video::rejoin`] |
//! | F01, F02; F03-F18 | [`watch`]; [`watch::next`], and the rows in `crate::watch::policy` |
//! | F19-F29 | `crate::watch::{connects, sessions}` |
//! | F30-F39 | the parser of `session::watch` |
//! | M01, M03, M09 | `session::settings` |
//! | M02, M22, M25 | the `settings` tests; of M25 the floor in `session::course` |
//! | M04-M08, M32-M37 | [`media::ends`] |
//! | M23 | [`media::handover`] |
//! | M24, M27 | [`media::redirects`] |
//! | M26, M28-M31 | [`media::walk`], the classifier in [`media`] |

mod media;
mod video;
mod watch;

use std::time::Duration;

use tower_failover::session::{Directive, Handle, Outcome, Settings, Supervisor, Targets};

use crate::support::{Exit, MS, Refused, Script};

type Classifier = fn(Outcome<'_, Refused, Exit>) -> Directive;

fn start(
    script: &Script,
    targets: impl Into<Targets>,
    settings: Settings,
    classifier: Classifier,
) -> Handle<Exit, usize> {
    Supervisor::new(targets, script.clone())
        .settings(settings)
        .classifier(classifier)
        .seed(7)
        .start()
        .unwrap()
}

/// Waits until there were as many dials.
async fn dialed(script: &Script, dials: usize) {
    let wait = async {
        while script.dials().len() < dials {
            tokio::time::sleep(100 * MS).await;
        }
    };
    let wait = tokio::time::timeout(Duration::from_secs(3600), wait).await;
    wait.unwrap_or_else(|_| panic!("{} dials instead of {dials}", script.dials().len()));
}
