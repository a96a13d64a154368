//! Which servers it does not go to, and what the coordinator hears of that.

use std::sync::{Arc, Mutex};

use tower::service_fn;
use tower_failover::{
    BoxError, Discovery, Query, Region, RegionList, Regions,
    session::{Forgive, Targets},
};

use super::{classify, settings};
use crate::{
    support::{Play::*, SECOND, Script, regions},
    upstream::{dialed, start},
};

fn names(regions: &[Region]) -> String {
    regions.iter().map(Region::name).collect()
}

/// S08: the name of the server is the caller's to see. S17: one without a name or an address is none.
#[tokio::test(start_paused = true)]
async fn the_server_has_a_name() {
    let script = Script::new([Up]);
    let handle = start(&script, regions("ab"), settings(), classify);
    let live = handle.established().await.unwrap();
    // S06: it is told once that a session is up.
    assert_eq!((live.region.name(), live.epoch), ("a", 1), "S06, S08");
    assert_eq!(script.dials().len(), 1, "S06");
    for blank in ["", "   "] {
        assert!(Region::new("sfu", blank).is_err(), "S17");
    }
}

/// S19, S22: upstream forgets them at the first connect. By our choice it takes a healthy run; the other
/// is a setting.
#[tokio::test(start_paused = true)]
async fn servers_that_were_left_are_excluded_until_a_healthy_run() {
    // What is excluded when c, which is up for so long, is left too.
    let rows = [
        ("S19, S22: a healthy run", Forgive::OnHealthy, 20, "c"),
        ("S19, S22: up for a moment", Forgive::OnHealthy, 1, "abc"),
        ("S19, S22, as upstream", Forgive::OnConnect, 1, "c"),
    ];
    for (case, forgive, seconds, last) in rows {
        let full = Refuse("SFU_FULL");
        let script = Script::new([full.clone(), full, UpFor(seconds * SECOND, "MIGRATE"), Up]);
        let settings = settings().forgive(forgive);
        let _handle = start(&script, regions("abcd"), settings, classify);
        dialed(&script, 4).await;
        let dials = script.dials();
        let excluded: Vec<_> = dials.iter().map(|d| names(&d.attempt.excluded)).collect();
        // S20: the one that is left is among them. S21: they add up.
        assert_eq!(excluded, ["", "a", "ab", last], "S20, S21, {case}");
    }
}

/// S20, S21: the coordinator, which names one server at a time, hears which ones did not do.
#[tokio::test(start_paused = true)]
async fn the_coordinator_is_told_which_servers_did_not_do() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let coordinator = {
        let asked = asked.clone();
        service_fn(move |query: Query| {
            let excluded = names(query.excluded());
            let from = query.migrating_from().map_or("-", Region::name);
            asked.lock().unwrap().push(format!("{excluded}<{from}"));
            let next = ["a", "b", "c"]
                .into_iter()
                .find(|name| !excluded.contains(name));
            async move {
                let next =
                    Region::new(next.unwrap(), format!("https://{}.sfu.test", next.unwrap()));
                Ok::<_, BoxError>(RegionList::new(vec![next.unwrap()]))
            }
        })
    };
    let discovery = Discovery::service(coordinator).allow(["*.sfu.test"]);
    let targets = Targets::from(Regions::discover(discovery))
        .coordinator("https://coordinator.sfu.test")
        .unwrap();
    let script = Script::new([Refuse("SFU_FULL"), Refuse("REJOIN"), Refuse("REJOIN"), Up]);
    let _handle = start(&script, targets, settings(), classify);
    dialed(&script, 4).await;
    // A rejoin asks again, and one that failed excludes (SW3).
    assert_eq!(
        *asked.lock().unwrap(),
        ["<-", "a<a", "a<b", "ab<b"],
        "S20, S21"
    );
    assert_eq!(script.regions().concat(), "abbc");
}
