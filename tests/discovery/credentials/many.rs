//! Callers of whom each has credentials of its own, as with a token that is signed for each call.

use tokio::task::{JoinHandle, yield_now};

use super::*;

fn with_token(origin: &str, token: &str) -> Request<Full<Bytes>> {
    let mut call = get(origin);
    let token = HeaderValue::from_str(token).unwrap();
    call.headers_mut().insert(AUTHORIZATION, token);
    call
}

#[tokio::test]
async fn two_hundred_that_are_denied_ask_three_times_and_each_gets_its_own_answer() {
    let livekit = LiveKit::start(3).await;
    livekit.region(0).set_at("/", Fault::Status(503)).await;
    for region in [0, 1] {
        let denied = Fault::Late(S / 5, Box::new(Fault::Status(401)));
        livekit.region(region).set_at(PATH, denied).await;
    }
    let seed = livekit.origin(1);
    let layer = free_layer(|d| d.seeds([seed]).unwrap());
    // Every call begins at home, and what is asked of it are calls and lists.
    let client = client(&layer.health(Health::off()));
    let calls = (0..200).map(|n| {
        let call = with_token(&livekit.origin(0), &format!("Bearer {n}"));
        answer(&client, call)
    });
    let answers = join_all(calls).await;
    assert!(
        answers
            .iter()
            .all(|(status, region)| *status == 503 && region == "region-0")
    );
    assert_eq!(livekit.region(0).hits_at("/"), 200);
    assert_eq!(asked(&livekit), [3, 3, 0]);
}

/// A home that fails every call, and lists another to who has the right token, for no time at all.
fn strict_world() -> World {
    let world = World::default();
    let list = Act::By(|seen| match seen.headers.get(AUTHORIZATION) {
        Some(token) if token == GOOD => listing("max-age=0", &["http://other.example.com"]),
        _ => Act::Status(401),
    });
    world.at(HOME, Act::Status(503)).on("?", after(S, list));
    world
}

/// What comes of calls with these tokens at the same time, and how often a list was asked for.
async fn outcomes(world: &World, client: &Failover<World>, tokens: &[&str]) -> (Vec<u16>, usize) {
    world.take();
    let calls = tokens.iter().map(|token| async {
        let response = head_of(client, with_token(HOME, token)).await;
        response.unwrap().status().as_u16()
    });
    let statuses = join_all(calls).await;
    (statuses, world.questions())
}

fn strict_client(world: &World) -> Failover<World> {
    world.client(&free_layer(|d| d).health(Health::off()))
}

#[tokio::test(start_paused = true)]
async fn good_credentials_bring_the_list_where_two_others_are_denied() {
    for tokens in [
        ["one", "two", GOOD],
        ["one", GOOD, "two"],
        [GOOD, "one", "two"],
    ] {
        let world = strict_world();
        let client = strict_client(&world);
        let (statuses, asked) = outcomes(&world, &client, &tokens).await;
        let good = tokens.iter().position(|token| *token == GOOD).unwrap();
        assert_eq!(statuses[good], 200, "{tokens:?}");
        assert!(asked <= 3, "{tokens:?}: {asked}");

        let world = strict_world();
        let client = strict_client(&world);
        for token in tokens {
            let expected = if token == GOOD { 200 } else { 503 };
            let (statuses, asked) = outcomes(&world, &client, &[token]).await;
            assert_eq!((statuses[0], asked), (expected, 1), "{token} of {tokens:?}");
            if token == GOOD {
                // The others would go on with its list, old as it is.
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn when_three_were_denied_nobody_asks_until_that_is_over() {
    let world = strict_world();
    let client = strict_client(&world);
    for (n, expected) in [1, 1, 1, 0, 0, 0].into_iter().enumerate() {
        let outcome = outcomes(&world, &client, &[&format!("Bearer {n}")]).await;
        assert_eq!(outcome, (vec![503], expected), "{n}");
    }
    assert_eq!(outcomes(&world, &client, &[GOOD]).await, (vec![503], 0));
    sleep(16 * S).await;
    assert_eq!(outcomes(&world, &client, &[GOOD]).await, (vec![200], 1));
}

#[tokio::test(start_paused = true)]
async fn two_callers_who_are_denied_in_turn_ask_once_each() {
    let world = strict_world();
    let client = strict_client(&world);
    for expected in [1, 0, 0] {
        for token in ["one", "two"] {
            let outcome = outcomes(&world, &client, &[token]).await;
            assert_eq!(outcome, (vec![503], expected), "{token}");
        }
    }
}

/// A refresh that calls wait for, and that is denied without having asked for any of them.
async fn refresh(client: &Failover<World>) -> JoinHandle<()> {
    let refresh = client.warm_up(HOME);
    let refresh = tokio::spawn(async move { drop(refresh.await.unwrap_err()) });
    yield_now().await;
    refresh
}

#[tokio::test(start_paused = true)]
async fn callers_with_the_same_credentials_ask_themselves_together() {
    let world = strict_world();
    let client = strict_client(&world);
    let refresh = refresh(&client).await;
    let tokens = ["one", "two", "one", "two"];
    let outcome = outcomes(&world, &client, &tokens).await;
    assert_eq!(outcome, (vec![503; 4], 2), "besides the refresh");
    refresh.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn callers_who_give_up_leave_their_turn_to_others() {
    let world = strict_world();
    let client = strict_client(&world);
    let first = refresh(&client).await;
    let tokens = ["one", "two", "three"];
    let calls = tokens.map(|token| {
        let client = client.clone();
        tokio::spawn(async move { head_of(&client, with_token(HOME, token)).await })
    });
    sleep(S + S / 10).await;
    assert_eq!(world.questions(), 1 + 3);
    for call in calls {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    first.await.unwrap();

    let second = refresh(&client).await;
    let outcome = outcomes(&world, &client, &["four", GOOD]).await;
    assert_eq!(outcome, (vec![503, 200], 2));
    second.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_list_that_comes_ends_the_count_of_those_denied() {
    let world = strict_world();
    let client = strict_client(&world);
    for token in ["one", "two", GOOD, "three", "four", GOOD] {
        let (_, asked) = outcomes(&world, &client, &[token]).await;
        assert_ne!(asked, 0, "{token}");
    }
}
