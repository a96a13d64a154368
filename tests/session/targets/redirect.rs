//! Where a server may send a session.

use tower_failover::{
    Region,
    session::{Directive, Targets},
};

use super::{Source, begin, epoch};
use crate::support::{Play::*, Script, regions};

/// The host that is dialed when the server of `a` redirects a session there.
async fn followed(targets: impl Into<Targets>, to: &str) -> String {
    let script = Script::new([Up]);
    let handle = begin(targets, &script);
    epoch(&handle, 1).await;
    let to = Region::new("there", to).unwrap();
    script.advise(0, Directive::migrate().to(to));
    epoch(&handle, 2).await;
    let region = script.dials()[1].attempt.region.clone();
    region.origin().host().to_owned()
}

#[tokio::test(start_paused = true)]
async fn only_known_and_trusted_hosts_are_followed() {
    for (to, expected) in [
        ("http://c.example", "c.example"),
        ("http://evil.test", "b.example"),
        ("http://127.0.0.1", "b.example"),
        // Of the same host, another server of it.
        ("http://a.example:81", "a.example"),
        ("http://eu.a.example", "eu.a.example"),
        // The region that is left.
        ("http://a.example", "b.example"),
    ] {
        assert_eq!(followed(regions("abc"), to).await, expected, "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_hosts_can_be_allowed_but_no_weaker_scheme() {
    let allowed = || Targets::from(regions("ab")).allow("*.media.test").unwrap();
    assert_eq!(
        followed(allowed(), "http://x.media.test").await,
        "x.media.test"
    );
    assert_eq!(
        followed(allowed(), "http://x.other.test").await,
        "b.example"
    );
    let source = Source::new(&["ab"]);
    let allowed = || source.coordinator().allow("*.media.test").unwrap();
    assert_eq!(
        followed(allowed(), "https://x.media.test").await,
        "x.media.test"
    );
    assert_eq!(
        followed(allowed(), "http://x.media.test").await,
        "b.example.com"
    );
    assert_eq!(
        followed(allowed(), "https://c.example.com").await,
        "c.example.com"
    );
}
