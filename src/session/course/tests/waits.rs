use super::*;

#[test]
fn waits_grow_up_to_the_cap() {
    follow(
        &settings(),
        "
            0 dial a retry => retry a 1000
         1000 dial a retry => retry a 2000
         3000 dial a retry => retry a 4000
         7000 dial a retry => retry a 8000
        15000 dial a retry => retry a 16000
        31000 dial a retry => retry a 30000
        61000 dial a retry => retry a 30000
        ",
    );
}

#[test]
fn the_longest_waits_there_are_do_not_overflow() {
    let longest = Backoff::exponential(Duration::MAX, Duration::MAX).jitter(Jitter::None);
    let settings = settings().backoff(longest);
    let decide = |settings: &Settings, directive: &Directive| {
        let mut course = course(settings);
        let step = (Step::Retry, directive);
        let (now, most) = (Instant::now(), 1.0 - f64::EPSILON);
        course.decide(step, Some(&region("a")), Urgency::Failure, now, most)
    };
    let retry = Directive::retry();
    let asked = Directive::retry().after(Duration::MAX);
    assert_eq!(decide(&settings, &retry).unwrap().wait, Duration::MAX);
    assert_eq!(decide(&settings, &asked).unwrap().wait, Duration::MAX);
    let settings = settings.give_up_after(Duration::MAX);
    assert!(decide(&settings, &retry).unwrap().wait > Duration::from_secs(3600));
    assert_eq!(decide(&settings, &asked), Err(Spent::Window));
}

/// M25 and M35: what chance or a server would make shorter. The state of the backoff stays that of
/// waits that were drawn.
#[test]
fn no_wait_is_shorter_than_the_floor() {
    let backoff = Backoff::exponential(1000 * MS, 4000 * MS);
    follow(
        &settings().backoff(backoff.jitter(Jitter::Full)),
        "
        0 dial a retry ~0.01         => retry a 60
        0 dial a retry ~0.01         => retry a 70
        0 dial a retry ~0.5          => retry a 2000
        0 dial a retry               => retry a 50
        0 dial a retry after=0       => retry a 50!
        0 dial a retry after=10 ~0.5 => retry a 2000!
        ",
    );
    follow(
        &settings().backoff(Backoff::exponential(MS, 1000 * MS).jitter(Jitter::None)),
        "
        0 dial a retry => retry a 50
        0 dial a retry => retry a 50
        ",
    );
}

/// F04, F05, F14: the wait after a conflict or a wrong answer is 30 s and up to a quarter more, and the
/// next failure waits as long as it would have without.
#[test]
fn a_wait_that_was_asked_for_gets_no_shorter_and_leaves_the_backoff_alone() {
    follow(
        &settings(),
        "
             0 dial a retry                      => retry a 1000
          1000 dial a retry after=30000 drop     => retry a 30000! -token
         31000 dial a retry after=30000 keep ~0.5 => retry a 33750!
         65000 dial a retry after=30000 ~0.96    => retry a 37200!
        103000 dial a retry                      => retry a 2000
        105000 dial a retry                      => retry a 4000
        109000 dial a retry after=30000          => retry a 30000!
        139000 dial a retry                      => retry a 8000
        ",
    );
}

/// `Retry-After: 1` of a server that is down for long. The program cannot cut that wait short either.
#[test]
fn a_longer_wait_by_the_backoff_holds() {
    follow(
        &settings(),
        "
           0 dial a retry            => retry a 1000
        1000 dial a retry after=1000 => retry a 2000!
        3000 dial a retry            => retry a 4000
        7000 dial a resume after=1000 => resume a 8000!
        ",
    );
}

#[test]
fn one_attempt_per_healthy_run_begins_without_a_wait() {
    for (step, pick) in [
        ("resume", "a 0"),
        ("migrate", "? 0"),
        ("rejoin", "* 0 -token"),
    ] {
        let later = |wait: &str| pick.replace(" 0", wait);
        let rows = format!(
            "
               0 dial a {step} => {step} {pick}
               0 dial a {step} => {step} {}
            1000 dial a {step} => {step} {}
            3000 dial a up {step} => {step} {}
            7000 dial a up
            9000 healthy {step} => {step} {pick}
            9000 dial a {step} => {step} {}
            ",
            later(" 1000"),
            later(" 2000"),
            later(" 4000"),
            later(" 1000"),
        );
        follow(&settings(), &rows);
    }
}

/// F09 and F10: the first clean end is resumed at once, all that follow are paced.
#[test]
fn a_retry_waits_at_once_and_leaves_that_attempt_to_a_resume() {
    follow(
        &settings(),
        "
            0 dial a up
        20000 healthy
        20001 retry         => retry a 1000
        21001 dial a retry  => retry a 2000
        23001 dial a resume => resume a 0
        23001 dial a resume => resume a 4000
        ",
    );
    // Nor does a retry that becomes more: there may be no other region.
    follow(
        &settings().per_target_attempts(1),
        "
            0 dial a retry => +migrate ? 1000
         1000 dial a retry => +migrate ? 2000
         3000 dial a resume => +migrate ? 0
        ",
    );
}

#[test]
fn a_kick_waits_only_if_it_says_so() {
    follow(
        &settings(),
        "
           0 dial a retry              => retry a 1000
         700 migrate kicked            => migrate ? 0
         700 dial b up
         900 retry kicked              => retry b 0
         900 rejoin kicked             => rejoin * 0 -token
         900 resume kicked after=5000  => resume b 5000!
        ",
    );
}

/// A session that is healthy is sent on without a wait, but not in circles.
#[test]
fn an_advice_is_followed_at_once_and_the_next_one_paced() {
    follow(
        &settings(),
        "
            0 dial a up
        10000 healthy
        20000 migrate advised => migrate ? 0
        20100 migrate advised => migrate ? 1000
        21000 dial b up migrate => migrate ? 2000
        ",
    );
}
