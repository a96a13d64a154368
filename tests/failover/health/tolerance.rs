//! Few errors among many calls do not keep a region from its calls.

use super::*;

/// Home was refused once and answers again, but for so many of 1000 calls. Of 200 calls a second, the
/// shares that go home in each minute.
async fn shares(per_mille: u32) -> [f64; 5] {
    const CALLS: usize = 12_000;
    fastrand::seed(3);
    let rig = Rig::out(&layer(Health::default()), Act::Status(200)).await;
    let mut shares = [0.0; 5];
    for share in &mut shares {
        let before = rig.at_home();
        for _ in 0..CALLS {
            let is_shed = fastrand::u32(0..1000) < per_mille;
            let status = if is_shed { 503 } else { 200 };
            rig.script.always("a", Act::Status(status));
            assert_eq!(rig.call("http://a/x").await, Some(StatusCode::OK));
            sleep(5 * MS).await;
        }
        *share = (rig.at_home() - before) as f64 / CALLS as f64;
    }
    shares
}

#[tokio::test(start_paused = true)]
async fn a_region_with_an_error_or_two_in_a_thousand_calls_comes_home_and_stays() {
    for per_mille in [0, 1, 2] {
        let shares = shares(per_mille).await;
        let later = &shares[1..];
        assert!(
            later.iter().all(|share| *share > 0.9),
            "{per_mille}: {shares:.2?}"
        );
    }
}
