use super::*;

/// The window begins with the first failure, not with the first attempt, and waits are cut to it.
#[test]
fn computed_waits_are_cut_to_the_window() {
    follow(
        &settings().give_up_after(10_000 * MS),
        "
         5000 dial a retry => retry a 1000
         6000 dial a retry => retry a 2000
         8000 dial a retry => retry a 4000
        12000 dial a retry => retry a 3000
        15000 dial a retry => window
        ",
    );
}

/// A dial that takes longer than the window is one attempt; the retry that always fits is another.
#[test]
fn at_least_one_retry_fits_into_the_window() {
    follow(
        &settings().give_up_after(500 * MS),
        "
            0 dial a
        30000 retry        => retry a 500
        30500 dial a
        60000 retry        => window
        ",
    );
    // The wait for it may have been over before that could begin.
    follow(
        &settings().give_up_after(500 * MS),
        "
           0 dial a retry   => retry a 500
         900 resume         => resume a 0
         900 dial a resume  => window
        ",
    );
}

#[test]
fn a_wait_that_was_asked_for_is_not_cut_but_ends_it() {
    follow(
        &settings().give_up_after(10_000 * MS),
        "
           0 dial a retry after=10001     => window
        ",
    );
    follow(
        &settings().give_up_after(10_000 * MS),
        "
           0 dial a retry after=8000 ~0.4 => retry a 8800!
        8800 dial a retry after=1200      => retry a 1200!
        8900 dial a retry after=1200      => window
        ",
    );
    // What chance adds is cut. What a longer wait by the backoff is cut to is still what was asked for.
    follow(
        &settings().give_up_after(10_000 * MS),
        "
           0 dial a retry after=9000 ~0.9 => retry a 10000!
        ",
    );
    follow(
        &settings().give_up_after(6000 * MS),
        "
           0 dial a retry            => retry a 1000
        1000 dial a retry            => retry a 2000
        3000 dial a retry after=2500 => retry a 3000!
        4000 dial a retry after=2500 => window
        ",
    );
}

/// The third attempt is the last. That of a healthy run counts no more; what the program or a server
/// wanted does.
#[test]
fn attempts_are_counted_whatever_made_them() {
    follow(
        &settings().total_attempts(3),
        "
            0 dial a up
        10000 healthy
        20000 dial a retry => retry a 1000
        21000 dial b retry => retry b 2000
        23000 dial c retry => attempts
        ",
    );
    follow(
        &settings().total_attempts(3),
        "
            0 dial a up
        10000 healthy
        11000 migrate advised => migrate ? 0
        11000 dial b up
        11500 migrate kicked  => migrate ? 0
        11500 dial c up
        11600 resume kicked   => resume c 0
        11600 dial c retry    => attempts
        ",
    );
    // An attempt that found no region is one.
    follow(
        &settings().total_attempts(2),
        "
           0 lost retry => retry ? 1000
        1000 lost retry => attempts
        ",
    );
}

/// S33: without a budget of its own a region may use up that of all.
#[test]
fn no_limit_to_a_region_is_one_that_is_never_reached() {
    let mut rows = String::from("0 dial a resume => resume a 0\n");
    for wait in [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000] {
        rows += &format!("0 dial a resume => resume a {wait}\n");
    }
    follow(
        &settings().total_attempts(10),
        &(rows + "0 dial a resume => attempts"),
    );
}

#[test]
fn a_pause_spends_nothing_of_the_window_while_tokens_age() {
    follow(
        &settings()
            .give_up_after(10_000 * MS)
            .resume_window(5000 * MS),
        "
              0 dial a over retry => retry a 1000
        3600500 slept 3600000
        3601000 dial a retry      => +rejoin * 2000 -token
        3603000 dial b retry      => +rejoin * 4000 -token
        3607000 dial b retry      => +rejoin * 3000 -token
        3610000 dial b retry      => window
        ",
    );
    let mut course = course(&settings());
    let (now, hour) = (Instant::now(), Duration::from_secs(3600));
    let retry = Directive::retry();
    let plan = course.decide((Step::Retry, &retry), None, Urgency::Failure, now, 0.0);
    assert!(plan.is_ok());
    course.paused(hour);
    assert_eq!(course.failing_for(now + hour + 7 * MS), 7 * MS);
    // One that the clock cannot express.
    course.paused(Duration::MAX);
}

#[test]
fn an_attempt_that_is_taken_back_was_none() {
    follow(
        &settings().per_target_attempts(2).total_attempts(3),
        "
           0 dial a back a
           0 dial a retry  => retry a 1000
        1000 dial a back a
        1000 lost back
        1000 dial a retry  => +migrate ? 2000
        3000 dial b back b
        3000 dial b retry  => attempts
        ",
    );
    // Nor is it the retry that always fits.
    follow(
        &settings().give_up_after(100 * MS),
        "
          0 dial a retry => retry a 100
        100 dial a back a
        500 retry        => retry a 0
        500 dial a retry => window
        ",
    );
    let mut course = course(&settings());
    course.take_back(Some(&region("a")));
    assert_eq!(course.attempts(), 0);
}

#[test]
fn the_error_knows_where_and_for_how_long() {
    let mut course = course(&settings());
    let start = Instant::now();
    let retry = Directive::retry();
    for (n, name) in ["b", "a", "b"].into_iter().enumerate() {
        let now = start + Duration::from_secs(n as u64);
        course.begin(&Plan::first());
        course.dial(&region(name));
        let at = region(name);
        let plan = course.decide((Step::Retry, &retry), Some(&at), Urgency::Failure, now, 0.0);
        assert!(plan.is_ok());
    }
    assert_eq!(course.tried(), [region("b"), region("a")]);
    assert_eq!(course.attempts(), 3);
    assert_eq!(course.failing_for(start + 2500 * MS), 2500 * MS);
}
