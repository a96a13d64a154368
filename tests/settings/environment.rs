//! The environment of a process cannot be changed safely from within, so that each test starts this
//! program once more, with other variables, and only the last function here in it.

use std::{env, process::Command};

use clap::Parser;

use super::support::{FILE, Program, file};

const CHILD: &str = "environment::child";
const FLAGS: &str = "SETTINGS_TEST_FLAGS";
/// What stands before and after the settings in what the child writes.
const MARK: &str = "=====";

/// The program as it is with these variables and flags over the file; or else what is said of them.
fn with(variables: &[(&str, &str)], flags: &str) -> Result<Program, String> {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored", "--nocapture"])
        .envs(variables.iter().copied())
        .env(FLAGS, flags)
        .output()
        .unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{output}");
    let written = output.split(MARK).nth(1).unwrap();
    serde_json::from_str::<Result<_, _>>(written).unwrap()
}

/// The file's settings, save for this one.
fn file_but(table: &str, key: &str, value: impl Into<toml::Value>) -> Program {
    let mut changed: toml::Table = FILE.parse().unwrap();
    changed[table][key] = value.into();
    changed.try_into().unwrap()
}

#[test]
fn a_variable_wins_over_the_file() {
    assert_eq!(with(&[], ""), Ok(file()));
    assert_eq!(
        with(&[("FAILOVER_MAX_ATTEMPTS", "2")], ""),
        Ok(file_but("failover", "max_attempts", 2))
    );
    assert_eq!(
        with(&[("FAILOVER_SESSION_GIVE_UP_AFTER", "1h 30m")], ""),
        Ok(file_but("session", "give_up_after", "90m"))
    );
    assert_eq!(
        with(&[("FAILOVER_RETRY_SAME_REGION", "false")], ""),
        Ok(file_but("failover", "retry_same_region", false))
    );
}

#[test]
fn a_flag_wins_over_a_variable() {
    assert_eq!(
        with(
            &[("FAILOVER_ATTEMPT_TIMEOUT", "2s")],
            "--failover-attempt-timeout=3s"
        ),
        Ok(file_but("failover", "attempt_timeout", "3s"))
    );
}

#[test]
fn a_variable_that_cannot_be_read_is_refused_by_the_name_of_its_flag() {
    let said = with(&[("FAILOVER_SESSION_DRAIN", "soon")], "").unwrap_err();
    assert!(said.contains("--session-drain"), "{said}");
    assert!(said.contains("a duration such as \"250ms\""), "{said}");
}

#[test]
fn a_variable_that_is_empty_is_refused() {
    for variable in [
        "FAILOVER_MAX_ATTEMPTS",
        "FAILOVER_RETRY_SAME_REGION",
        "FAILOVER_SESSION_DRAIN",
    ] {
        assert!(with(&[(variable, "")], "").is_err(), "{variable}");
    }
}

#[test]
#[ignore = "the program that the other tests here start"]
fn child() {
    let flags = env::var(FLAGS).unwrap_or_default();
    let mut program = file();
    let update = program
        .try_update_from(["program"].into_iter().chain(flags.split_whitespace()))
        .map(|()| program)
        .map_err(|error| error.to_string());
    println!("{MARK}{}{MARK}", serde_json::to_string(&update).unwrap());
}
