use super::*;

/// S03: the third failure moves. So does each third one after.
#[test]
fn a_region_that_was_dialed_three_times_is_left() {
    follow(
        &settings().per_target_attempts(3),
        "
            0 dial a retry  => retry a 1000
         1000 dial a resume => resume a 0
         1000 dial a retry  => +migrate ? 2000
         3000 dial b retry  => retry b 4000
         7000 dial b retry  => retry b 8000
        15000 dial b retry  => +migrate ? 16000
        31000 dial a retry  => retry a 30000
        61000 dial a retry  => retry a 30000
        91000 dial a retry  => +migrate ? 30000
        ",
    );
}

/// S01, S02, S05: what is counted are failures since the last healthy run, and a session that is up for
/// a moment is none.
#[test]
fn only_a_healthy_run_gives_the_attempts_back() {
    follow(
        &settings().per_target_attempts(3),
        "
            0 dial a retry => retry a 1000
         1000 dial a retry => retry a 2000
         3000 dial a up
        13000 healthy
        14000 retry        => retry a 1000
        15000 dial a retry => retry a 2000
        17000 dial a retry => retry a 4000
        21000 dial a up
        22000 retry        => +migrate ? 8000
        ",
    );
}

/// The budget of a region counts from when it was last left.
#[test]
fn a_region_that_was_left_for_another_reason_has_all_its_attempts_again() {
    follow(
        &settings().per_target_attempts(2),
        "
           0 dial a migrate => migrate ? 0
           0 dial b retry   => retry b 1000
        1000 dial b retry   => +migrate ? 2000
        3000 dial a retry   => retry a 4000
        7000 dial a retry   => +migrate ? 8000
        ",
    );
}

#[test]
fn after_a_rejoin_there_is_no_mere_migration() {
    follow(
        &settings().per_target_attempts(2),
        "
            0 dial a rejoin  => rejoin * 0 -token
            0 dial b retry   => retry b 1000
         1000 dial b retry   => +rejoin * 2000 -token
         3000 dial a migrate => +rejoin * 4000 -token
         7000 dial b resume  => resume b 8000
        15000 dial b up
        25000 healthy
        25000 migrate        => migrate ? 0
        ",
    );
}

#[test]
fn what_the_program_kicked_the_session_to_is_not_undone() {
    follow(
        &settings(),
        "
          0 dial a up
        100 rejoin kicked   => rejoin * 0 -token
        100 dial b migrate  => +rejoin * 0 -token
        ",
    );
}

/// SW3.
#[test]
fn who_is_left_is_excluded() {
    let (retry, resume) = (Directive::retry, Directive::resume);
    let (migrate, rejoin) = (Directive::migrate, Directive::rejoin);
    let settings = settings().per_target_attempts(3);
    let rows: [(&[(&str, Directive)], &str); 9] = [
        (&[("a", retry()), ("a", resume())], ""),
        (&[("a", retry()), ("a", retry()), ("a", retry())], "a"),
        // S20, S21: each migration excludes where it leads away from.
        (&[("a", migrate())], "a"),
        (&[("a", migrate()), ("b", migrate())], "ab"),
        (
            &[("a", migrate()), ("b", migrate()), ("a", migrate())],
            "ba",
        ),
        (&[("a", retry().exclude())], "a"),
        (&[("a", rejoin().exclude())], "a"),
        // A rejoin is a new beginning, and may lead to where the session was. One that fails may not.
        (&[("a", rejoin())], ""),
        (&[("a", rejoin()), ("b", rejoin())], "b"),
    ];
    for (rows, expected) in rows {
        assert_eq!(excluded(&settings, rows, 59_999 * MS), expected, "{rows:?}");
        assert_eq!(excluded(&settings, rows, 60_000 * MS), "", "{rows:?}");
    }
}

/// A retry that excludes its region is none any more.
#[test]
fn to_exclude_is_to_migrate() {
    follow(
        &settings(),
        "
        0 dial a retry exclude  => +migrate ? 1000
        0 dial b resume exclude => +migrate ? 0
        0 dial c rejoin exclude => rejoin * 2000 -token
        0 dial b retry exclude  => +rejoin * 4000 -token
        ",
    );
}

/// The program may want a new beginning where there just was one.
#[test]
fn a_rejoin_that_is_kicked_is_no_failed_one() {
    let mut course = course(&settings());
    let (now, at) = (Instant::now(), region("a"));
    let rejoin = Directive::rejoin();
    for urgency in [Urgency::Failure, Urgency::Kick] {
        let plan = course.decide((Step::Rejoin, &rejoin), Some(&at), urgency, now, 0.0);
        course.begin(&plan.unwrap());
        course.dial(&at);
    }
    assert!(course.excluded(now).is_empty());
    let plan = course.decide(
        (Step::Rejoin, &rejoin),
        Some(&at),
        Urgency::Failure,
        now,
        0.0,
    );
    assert_eq!(course.excluded(now)[..], [at]);
    assert_eq!(plan.unwrap().pick, Pick::Fresh);
}

/// The attempt is over before a region was dialed: there is none to go back to, or to blame.
#[test]
fn after_an_attempt_that_got_nowhere_any_region_will_do() {
    let settings = settings().per_target_attempts(2);
    follow(
        &settings,
        "
        0 lost retry         => retry ? 1000
        0 dial a retry       => retry a 2000
        0 dial a retry       => +migrate ? 4000
        0 lost retry         => retry ? 8000
        0 lost rejoin        => rejoin * 0 -token
        0 lost rejoin        => rejoin * 16000 -token
        0 dial a retry       => retry a 30000
        0 lost migrate kicked => +rejoin * 0 -token
        ",
    );
    let mut course = course(&settings);
    let (now, at, rejoin) = (Instant::now(), region("a"), Directive::rejoin());
    course.begin(&Plan::first());
    course.dial(&at);
    for _ in 0..2 {
        let plan = course.decide(
            (Step::Rejoin, &rejoin),
            Some(&at),
            Urgency::Failure,
            now,
            0.0,
        );
        course.begin(&plan.unwrap());
        assert!(course.excluded(now).is_empty());
    }
}

#[test]
fn a_server_names_where_to_go_and_what_holds_if_that_is_refused() {
    follow(
        &settings(),
        "
        0 dial a migrate >x       => migrate >x? 0
        0 dial b retry >x         => retry >xb 1000
        0 dial b rejoin >x        => rejoin >x* 2000 -token
        0 dial b retry exclude >x => +rejoin >x* 4000 -token
        ",
    );
}

/// S38, S39: a token goes along with all steps but a rejoin, unless the directive says otherwise.
#[test]
fn tokens_are_kept_and_dropped_as_the_directive_says() {
    follow(
        &settings(),
        "
        0 dial a resume              => resume a 0
        0 dial a retry after=9000    => retry a 9000!
        0 dial a migrate             => migrate ? 1000
        0 dial a resume drop         => resume a 2000 -token
        0 dial a retry drop after=30000 => retry a 30000! -token
        0 dial a migrate drop        => migrate ? 4000 -token
        0 dial a rejoin              => rejoin * 8000 -token
        0 dial a rejoin keep         => rejoin * 16000
        0 dial a migrate             => +rejoin * 30000 -token
        0 dial a migrate keep        => +rejoin * 30000
        ",
    );
}

/// The deadline of S for a fast reconnect, after which it only rejoins.
#[test]
fn when_its_token_is_of_no_use_a_session_begins_anew() {
    follow(
        &settings().resume_window(5000 * MS),
        "
            0 dial a up
        20000 healthy over
        20000 resume            => resume a 0
        23999 dial a resume      => resume a 1000
        24999 dial a resume keep => resume a 2000
        26999 dial a resume drop => resume a 4000 -token
        30999 dial a resume      => +rejoin * 8000 -token
        30999 dial b retry       => +rejoin * 16000 -token
        41000 dial a up
        51000 healthy retry     => retry a 1000
        ",
    );
}

#[test]
fn the_session_itself_knows_best_for_how_long_its_token_is_of_use() {
    let rows = "
            0 dial a up over 9000
            0 retry             => retry a 1000
         6999 dial a retry      => retry a 2000
         8999 dial a retry      => +rejoin * 4000 -token
        ";
    follow(&settings(), rows);
    follow(&settings().resume_window(5000 * MS), rows);
    follow(&settings().resume_window(50_000 * MS), rows);
}

/// S19 and S22, by our choice: with `OnConnect` a session that is up is enough, else it is not.
#[test]
fn a_session_that_is_up_forgives_only_where_that_was_chosen() {
    for (forgive, after_up) in [(Forgive::OnHealthy, 1), (Forgive::OnConnect, 0)] {
        let mut course = course(&settings().forgive(forgive));
        let (now, at, migrate) = (Instant::now(), region("a"), Directive::migrate());
        let step = (Step::Migrate, &migrate);
        let plan = course.decide(step, Some(&at), Urgency::Failure, now, 0.0);
        course.begin(&plan.unwrap());
        course.dial(&region("b"));
        assert_eq!(course.excluded(now).len(), 1);
        course.connected();
        assert_eq!(course.excluded(now).len(), after_up, "{forgive:?}");
        // Attempts are given back by neither.
        assert_eq!((course.attempts(), course.tried().len()), (1, 1));
        course.healthy();
        assert!(course.excluded(now).is_empty());
        assert_eq!((course.attempts(), course.tried().len()), (0, 0));
        assert_eq!(course.failing_for(now + 9 * MS), Duration::ZERO);
    }
}
