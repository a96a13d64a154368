//! Settings as flags and environment variables.
//!
//! No flag has a default value: clap would take it for given, and overwrite with it what came from a
//! file. A setting's name is said once, and the flag, the variable and clap's id are made of it; their
//! prefix keeps those of different settings, and of the program, apart.

use clap::{
    Arg, ArgGroup, ArgMatches, Command, Id, ValueEnum,
    builder::{BoolishValueParser, EnumValueParser},
    value_parser,
};

use super::{
    number::AtLeast,
    text::{self, Text},
};
use crate::{backoff::Jitter, policy::Replay};

/// What the names of flags and of environment variables begin with.
pub(crate) struct Prefix {
    pub(crate) flag: &'static str,
    pub(crate) variable: &'static str,
}

/// Settings that can be given as flags.
pub(crate) trait Flags {
    const PREFIX: Prefix;

    /// Shows all settings to the visitor.
    fn visit<V: Visitor>(&mut self, visitor: &mut V);
}

/// Goes over settings, one by one.
pub(crate) trait Visitor {
    /// A setting, what it is, and what holds where it is not set.
    fn flag<T: Value>(&mut self, name: &str, help: &str, default: &str, value: &mut Option<T>);
}

/// Adds the flags to a command.
pub(crate) fn declare<S: Flags + Default>(command: Command) -> Command {
    let mut flags = Declared {
        prefix: S::PREFIX,
        args: Vec::new(),
    };
    S::default().visit(&mut flags);
    // By the group clap finds out whether any of them was given.
    let group = ArgGroup::new(group::<S>())
        .multiple(true)
        .args(flags.args.iter().map(Arg::get_id));
    command.args(flags.args).group(group)
}

/// Sets what was given, and nothing else.
pub(crate) fn take<S: Flags>(settings: &mut S, matches: &ArgMatches) {
    settings.visit(&mut Given {
        prefix: S::PREFIX,
        matches,
    });
}

pub(crate) fn group<S: Flags>() -> Id {
    format!("{}-settings", S::PREFIX.flag).into()
}

impl Prefix {
    fn flag(&self, name: &str) -> String {
        format!("{}-{name}", self.flag)
    }

    fn variable(&self, name: &str) -> String {
        let name = name.replace('-', "_").to_ascii_uppercase();
        format!("{}_{name}", self.variable)
    }
}

struct Declared {
    prefix: Prefix,
    args: Vec<Arg>,
}

impl Visitor for Declared {
    fn flag<T: Value>(&mut self, name: &str, help: &str, default: &str, _: &mut Option<T>) {
        let flag = self.prefix.flag(name);
        let arg = Arg::new(flag.clone())
            .long(flag)
            .env(self.prefix.variable(name))
            .value_name(T::NAME.to_ascii_uppercase())
            .help(format!("{help} [default: {default}]"));
        self.args.push(T::arg(arg));
    }
}

struct Given<'a> {
    prefix: Prefix,
    matches: &'a ArgMatches,
}

impl Visitor for Given<'_> {
    fn flag<T: Value>(&mut self, name: &str, _: &str, _: &str, value: &mut Option<T>) {
        if let Some(given) = self.matches.get_one::<T>(&self.prefix.flag(name)) {
            *value = Some(given.clone());
        }
    }
}

/// What a flag can be set to.
pub(crate) trait Value: Clone + Send + Sync + 'static {
    /// What stands for the value in the help.
    const NAME: &'static str;

    /// The flag of such a value.
    fn arg(arg: Arg) -> Arg;
}

impl<T: Text + Clone + Send + Sync + 'static> Value for T {
    const NAME: &'static str = T::NAME;

    fn arg(arg: Arg) -> Arg {
        arg.value_parser(|written: &str| {
            T::read(written).map_err(|fault| format!("expected {}: {fault}", text::expected::<T>()))
        })
    }
}

impl Value for u32 {
    const NAME: &'static str = "number";

    fn arg(arg: Arg) -> Arg {
        arg.value_parser(value_parser!(Self))
    }
}

impl Value for usize {
    const NAME: &'static str = "number";

    fn arg(arg: Arg) -> Arg {
        arg.value_parser(value_parser!(Self))
    }
}

impl<const MIN: u8> Value for AtLeast<MIN> {
    const NAME: &'static str = "number";

    fn arg(arg: Arg) -> Arg {
        arg.value_parser(|text: &str| text.parse::<Self>())
    }
}

/// The flag alone is `true`; `=false` takes back what a file says.
impl Value for bool {
    const NAME: &'static str = "bool";

    fn arg(arg: Arg) -> Arg {
        arg.value_parser(BoolishValueParser::new())
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
    }
}

impl Value for Replay {
    const NAME: &'static str = "which";

    fn arg(arg: Arg) -> Arg {
        one_of::<Self>(arg)
    }
}

impl Value for Jitter {
    const NAME: &'static str = "share";

    fn arg(arg: Arg) -> Arg {
        one_of::<Self>(arg)
    }
}

pub(crate) fn one_of<T: ValueEnum + Clone + Send + Sync + 'static>(arg: Arg) -> Arg {
    arg.value_parser(EnumValueParser::<T>::new())
}
