use std::collections::BTreeSet;

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser};
use tower_failover::{Settings, session};

use super::support::{FILE, Program, file, keys, layer};

/// The program, over what it is, with these flags.
fn updated(mut program: Program, flags: &[&str]) -> Program {
    let args = ["program"].iter().chain(flags);
    program.try_update_from(args).unwrap();
    program
}

fn parsed(flags: &[&str]) -> Program {
    Program::try_parse_from(["program"].iter().chain(flags)).unwrap()
}

fn refused(flag: &str) -> String {
    let error = Program::try_parse_from(["program", flag]).unwrap_err();
    error.to_string()
}

#[test]
fn a_command_line_without_flags_does_not_clobber_a_file() {
    // M22.
    assert_eq!(updated(file(), &[]), file());
    assert_eq!(parsed(&[]).failover.or(file().failover), file().failover);
    assert_eq!(parsed(&[]).session.or(file().session), file().session);
    // Without a file nothing is set either: what flags do not say is left to the layer.
    assert_eq!(parsed(&[]), Program::default());
}

#[test]
fn a_flag_wins_over_the_file_and_leaves_the_rest() {
    // M22, the other half.
    let flags = [
        "--failover-backoff-base",
        "1s",
        "--failover-max-attempts=2",
        "--failover-retry-same-region=false",
        "--session-backoff-cap",
        "9s",
    ];
    let mut table: toml::Table = FILE.parse().unwrap();
    table["failover"]["backoff"]["base"] = "1s".into();
    table["failover"]["max_attempts"] = 2.into();
    table["failover"]["retry_same_region"] = false.into();
    table["session"]["backoff"]["cap"] = "9s".into();
    let expected: Program = table.try_into().unwrap();
    assert_eq!(updated(file(), &flags), expected);
    assert_eq!(
        parsed(&flags).failover.or(file().failover),
        expected.failover
    );
    assert_eq!(parsed(&flags).session.or(file().session), expected.session);
}

#[test]
fn every_setting_has_a_flag_and_a_variable_of_its_name() {
    let command = Program::command();
    let arguments = command
        .get_arguments()
        .filter(|arg| arg.get_env().is_some());
    let flags: BTreeSet<_> = arguments
        .map(|arg| {
            let variable = arg.get_env().unwrap().to_str().unwrap();
            (
                arg.get_long().unwrap().to_owned(),
                variable.to_owned(),
                arg.get_id().to_string(),
            )
        })
        .collect();
    let expected: BTreeSet<_> = keys()
        .into_iter()
        .map(|(table, key)| {
            let flag = format!("{table}-{key}").replace(['_', '.'], "-");
            let variable = flag.replace('-', "_").to_ascii_uppercase();
            let variable = match &*table {
                "session" => format!("FAILOVER_{variable}"),
                _ => variable,
            };
            (flag.clone(), variable, flag)
        })
        .collect();
    assert_eq!(flags, expected);
}

#[test]
fn every_flag_sets_what_the_file_does() {
    let all: toml::Table = FILE.parse().unwrap();
    for (table, key) in keys() {
        let value = key
            .split('.')
            .fold(&all[&table], |value, name| &value[name]);
        let text = match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let flag = format!("--{table}-{key}={text}").replacen(['_', '.'], "-", 9);
        let (flag, _) = flag.split_once('=').unwrap();
        let by_flag = parsed(&[&format!("{flag}={text}")]);
        let by_file: Program = toml::from_str(&format!("{table}.{key} = {value}")).unwrap();
        assert_eq!(by_flag, by_file, "{flag}");
        assert_ne!(by_flag, Program::default(), "{flag}");
    }
}

#[test]
fn all_settings_fit_into_one_program() {
    Program::command().debug_assert();
    let program = parsed(&[
        "--attempt-timeout=mine",
        "--failover-attempt-timeout=1s",
        "--session-attempt-timeout=2s",
    ]);
    assert_eq!(program.attempt_timeout.as_deref(), Some("mine"));
    let mut file = String::from("failover.attempt_timeout = \"1s\"\n");
    file.push_str("session.attempt_timeout = \"2s\"\nattempt_timeout = \"mine\"\n");
    assert_eq!(program, toml::from_str(&file).unwrap());
}

#[test]
fn settings_that_are_optional_are_there_when_a_flag_is() {
    #[derive(Parser)]
    struct Optional {
        #[command(flatten)]
        failover: Option<Settings>,
        #[command(flatten)]
        session: Option<session::Settings>,
    }
    Optional::command().debug_assert();
    let none = Optional::parse_from(["program"]);
    assert!(none.failover.is_none() && none.session.is_none());
    let some = Optional::parse_from(["program", "--session-backoff-base=2s", "--session-drain=1s"]);
    assert!(some.failover.is_none());
    let file = "drain = \"1s\"\nbackoff.base = \"2s\"";
    assert_eq!(some.session, Some(toml::from_str(file).unwrap()));
}

#[test]
fn no_flag_has_a_default_value() {
    for arg in Program::command().get_arguments() {
        assert!(arg.get_default_values().is_empty(), "{arg}");
        assert!(!arg.is_required_set(), "{arg}");
    }
}

#[test]
fn the_help_names_the_defaults_that_hold() {
    let command = Settings::augment_args(Command::new("program"));
    let mut compared = 0;
    for arg in command.get_arguments() {
        let flag = arg.get_long().unwrap();
        let help = arg.get_help().unwrap().to_string();
        let (_, default) = help.split_once("[default: ").unwrap();
        let default = default.strip_suffix(']').unwrap();
        // These are no values.
        if ["failover-idempotency-key", "failover-budget-cap"].contains(&flag) {
            continue;
        }
        let given = ["program".to_owned(), format!("--{flag}={default}")];
        let matches = command.clone().try_get_matches_from(given).unwrap();
        let settings = Settings::from_arg_matches(&matches).unwrap();
        assert_ne!(settings, Settings::new(), "{flag}");
        assert_eq!(layer(settings), layer(Settings::new()), "{flag}");
        compared += 1;
    }
    assert_eq!(compared, 20);
}

#[test]
fn a_switch_is_on_alone_and_off_if_that_is_said() {
    let on: Program = toml::from_str("failover.retry_same_region = true").unwrap();
    let off: Program = toml::from_str("failover.retry_same_region = false").unwrap();
    assert_eq!(parsed(&["--failover-retry-same-region"]), on);
    assert_eq!(parsed(&["--failover-retry-same-region=yes"]), on);
    assert_eq!(parsed(&["--failover-retry-same-region=false"]), off);
    assert_eq!(updated(on, &["--failover-retry-same-region=0"]), off);
    let said = ["program", "--failover-retry-same-region", "false"];
    assert!(Program::try_parse_from(said).is_err(), "without the `=`");
}

#[test]
fn values_that_no_setting_can_have_are_refused_by_the_name_of_the_flag() {
    for (flag, why) in [
        ("--failover-attempt-timeout=5", "time unit needed"),
        (
            "--failover-attempt-timeout=soon",
            "a duration such as \"250ms\"",
        ),
        ("--failover-max-attempts=-1", "-1 is not in 0..="),
        (
            "--failover-replay=most",
            "[possible values: safe, always, never]",
        ),
        (
            "--failover-backoff-factor=0.5",
            "0.5 is not a number of at least 1",
        ),
        ("--failover-backoff-factor=x", "invalid float"),
        (
            "--failover-budget-ratio=-1",
            "-1 is not a number of at least 0",
        ),
        ("--failover-health-probe=/", "no path"),
        (
            "--session-forgive=never",
            "[possible values: on-healthy, on-connect]",
        ),
        ("--session-drain=1", "time unit needed"),
    ] {
        let said = refused(flag);
        let (name, value) = flag.split_once('=').unwrap();
        assert!(said.contains(why), "{flag}: {said}");
        assert!(
            said.contains(name) && said.contains(value),
            "{flag}: {said}"
        );
    }
}

#[test]
fn of_each_setting_the_first_that_says_it_counts() {
    // Settings that are all there, save those whose defaults are no values, and all other than the
    // file's.
    let command = Program::command();
    let defaults = command.get_arguments().filter_map(|arg| {
        let help = arg.get_help()?.to_string();
        let (_, default) = help.split_once("[default: ")?;
        Some(format!(
            "--{}={}",
            arg.get_long()?,
            default.strip_suffix(']')?
        ))
    });
    let odd = [
        "idempotency-key=",
        "budget-cap=",
        "session-attempt-timeout=",
    ];
    let defaults: Vec<_> = defaults
        .filter(|flag| !odd.iter().any(|odd| flag.contains(odd)))
        .collect();
    let flags = parsed(&defaults.iter().map(String::as_str).collect::<Vec<_>>());

    let mut both: toml::Table = FILE.parse().unwrap();
    let over = toml::Table::try_from(&flags).unwrap();
    assert_eq!(lay(&mut both, &over), keys().len() - odd.len());
    let both: Program = both.try_into().unwrap();
    assert_eq!(flags.failover.or(file().failover), both.failover);
    assert_eq!(flags.session.or(file().session), both.session);
}

/// Lays one table over another, and counts what it changed.
fn lay(under: &mut toml::Table, over: &toml::Table) -> usize {
    let mut changed = 0;
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => {
                changed += lay(under, over);
            }
            (under, over) => {
                let under = under.unwrap();
                assert_ne!(under, over, "{key}");
                *under = over.clone();
                changed += 1;
            }
        }
    }
    changed
}
