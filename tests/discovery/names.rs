//! What regions may be called by those who are not the user.

use http::Response;
use serde_json::json;
use tower::service_fn;
use tower_failover::{
    Discovery, Error, FailoverLayer, Health, Query, Region, RegionList, Regions, Served, Snapshot,
};

use crate::support::*;

/// What could end a line, turn it, hide in it, or pass for an origin or a field.
const BAD: &[&str] = &[
    "eu\nINFO region restored",
    "eu\r",
    "eu\0",
    "eu\tus",
    "\u{1b}[31meu",
    "eu\u{7f}",
    "eu\u{85}us",
    "\u{202e}eu",
    "\u{2066}eu\u{2069}",
    "\u{200f}eu",
    "eu\u{2028}us",
    "eu\u{2029}us",
    "e\u{200b}u",
    "e\u{200d}u",
    "e\u{ad}u",
    "\u{feff}eu",
    "eu attempt=7",
    "https://us.example.com",
    "us.example.com:443",
    "\"eu\"",
    "'eu'",
    "`eu`",
    "eu\\n",
    "eu; us",
    "{eu}",
    "[eu]",
    "<b>eu</b>",
    "eu@us",
    "eu%0aus",
    "eu?us#",
    "eu\u{e000}",
    "eu\u{fffd}",
    "",
    " ",
    "-",
    "()",
    // Some letters turn a line, combine or cannot be seen; no name needs them.
    "München",
    "東京",
    "دبي",
    "\u{3164}",
    "e\u{301}u",
];

/// Words in ASCII.
const GOOD: &[&str] = &[
    "eu",
    "7",
    "eu-west_1",
    "v1.2/b",
    "Frankfurt (DE), 2",
    "US-EAST",
];

/// Whence the regions are known.
const WAYS: [Way; 4] = [Way::Document, Way::Pushed, Way::Service, Way::Snapshot];

#[derive(Clone, Copy, Debug)]
enum Way {
    Document,
    Pushed,
    Service,
    Snapshot,
}

/// `eu` and `us`, both with this name.
fn both(name: &str) -> RegionList {
    let region = |origin| Region::new(name, origin).unwrap();
    RegionList::new(vec![region(EU), region(US)])
}

/// A layer that knows them in this way; what home answers to a question is set.
fn layer_knowing(world: &World, way: Way, name: &str) -> FailoverLayer {
    world.on("?", Act::Status(500));
    let layer = match way {
        Way::Service => {
            let list = both(name);
            let answer = move |_: Query| {
                let list = list.clone();
                async { Ok::<_, std::io::Error>(list) }
            };
            layer_of(Discovery::service(service_fn(answer)))
        }
        _ => layer(),
    };
    match way {
        Way::Document => {
            let region = |url| json!({ "region": name, "url": url });
            let list = json!({ "regions": [region(EU), region(US)] });
            world.on("?", Act::Document(Some("max-age=60"), list.to_string()));
        }
        Way::Pushed => layer.handle().set_regions(HOME, both(name)).unwrap(),
        Way::Service => {}
        Way::Snapshot => {
            let region = |origin| json!({ "name": name, "origin": origin });
            let regions = [region(EU), region(US)];
            let home = json!({ "home": HOME, "came_at": u64::MAX, "regions": regions });
            let saved = json!({ "homes": [home] });
            let saved: Snapshot = serde_json::from_value(saved).unwrap();
            layer.handle().restore_snapshot(&saved);
        }
    }
    layer
}

/// All that a call shows, and the names of the regions that it was made in.
struct Shown {
    text: String,
    names: Vec<String>,
}

impl Shown {
    fn add(&mut self, text: impl std::fmt::Display) {
        self.text += &format!("{text}|");
    }
}

/// Calls home, which fails as `eu` does; `us` answers or fails too.
async fn called(world: &World, layer: &FailoverLayer, last: Act) -> Shown {
    world
        .on("home", Act::Reset)
        .on("eu", Act::Reset)
        .on("us", last);
    // One failure is enough to be ejected, which is told too.
    let layer = layer.clone().health(Health::default().consecutive(1));
    let events = Events::capture();
    let outcome: Result<Response<()>, Error> = head_of(&world.client(&layer), get_of("home")).await;
    let mut shown = Shown {
        text: String::new(),
        names: Vec::new(),
    };
    let attempts = match &outcome {
        Ok(response) => {
            let served = response.extensions().get::<Served>().unwrap();
            shown.add(served.region());
            shown.text += &format!("{served:?}|");
            served.attempts()
        }
        Err(error) => {
            shown.add(error);
            shown.text += &format!("{error:?}|");
            error.attempts()
        }
    };
    for attempt in attempts {
        shown.add(attempt);
        shown.names.push(attempt.region().name().to_owned());
    }
    for line in events.take() {
        shown.add(&line.message);
        for (_, value) in &line.fields {
            shown.add(value);
        }
    }
    for message in ["attempt failed", "failing over", "region ejected"] {
        assert!(shown.text.contains(message), "{message}");
    }
    shown
}

/// What is seen of the name in each way, whether the call succeeds or not.
async fn seen(name: &str, check: impl Fn(&Shown, &str)) {
    for way in WAYS {
        for last in [Act::Status(200), Act::Reset] {
            let what = format!("{name:?}, {way:?}, {last:?}");
            let world = World::default();
            let layer = layer_knowing(&world, way, name);
            let mut shown = called(&world, &layer, last).await;
            assert_eq!(world.called().len(), 3, "{what}");
            let saved = serde_json::to_value(layer.handle().snapshot()).unwrap();
            let regions = saved["homes"][0]["regions"].as_array().unwrap();
            assert_eq!(regions.len(), 2, "{what}");
            for region in regions {
                shown.add(region["name"].as_str().unwrap_or_default());
            }
            check(&shown, &what);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_from_outside_that_is_no_word_gives_way_to_the_origin() {
    let long = "e".repeat(128) + "a";
    for name in BAD.iter().copied().chain([long.as_str()]) {
        seen(name, |shown, what| {
            let origins = [HOME, EU, US].map(|origin| format!("{origin}:443"));
            assert_eq!(shown.names, origins, "{what}");
            // Too short to be told from other text, or an origin that is shown as such.
            if name.len() > 2 && !"https://us.example.com:443".contains(name) {
                assert!(!shown.text.contains(name), "{what}: {}", shown.text);
            }
            let ends_a_line = |c: char| c.is_control() || "\u{2028}\u{202e}\u{200b}".contains(c);
            assert!(!shown.text.contains(ends_a_line), "{what}: {}", shown.text);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_from_outside_that_is_a_word_stays() {
    let long = "e".repeat(128);
    for name in GOOD.iter().copied().chain([long.as_str()]) {
        seen(name, |shown, what| {
            assert_eq!(shown.names[1..], [name, name], "{what}");
            let reset = format!("|{name} (");
            assert!(shown.text.contains(&reset), "{what}: {}", shown.text);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_the_user_gives_to_fixed_regions_stay_as_they_are() {
    for name in BAD.iter().chain(GOOD) {
        let regions = Regions::named([("home", HOME), (name, EU), (name, US)]).unwrap();
        let layer = FailoverLayer::new(regions).backoff(no_wait());
        let shown = called(&World::default(), &layer, Act::Status(200)).await;
        assert_eq!(shown.names, ["home", name, name]);
    }
}
