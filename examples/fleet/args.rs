//! The command line.

use std::path::PathBuf;

pub(crate) const USAGE: &str =
    "usage: fleet [--clients N] [--seed N] [--only NAME] [--out DIR] [--quick]";

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) clients: usize,
    pub(crate) seed: u64,
    pub(crate) only: Option<String>,
    pub(crate) out: PathBuf,
    pub(crate) quick: bool,
}

impl Args {
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            clients: 0,
            seed: 1,
            only: None,
            out: PathBuf::from("target/fleet"),
            quick: false,
        };
        let mut args = args;
        while let Some(arg) = args.next() {
            if arg == "--quick" {
                parsed.quick = true;
                continue;
            }
            let value = args.next().ok_or(USAGE)?;
            match arg.as_str() {
                "--clients" => parsed.clients = number(&value)?,
                "--seed" => parsed.seed = number(&value)?,
                "--only" => parsed.only = Some(value),
                "--out" => parsed.out = PathBuf::from(value),
                _ => return Err(USAGE.into()),
            }
        }
        if parsed.clients == 0 {
            parsed.clients = if parsed.quick { 300 } else { 10_000 };
        }
        Ok(parsed)
    }
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{value} is no number\n{USAGE}"))
}
