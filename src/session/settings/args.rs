use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, Id};

use super::{Forgive, Settings};
use crate::settings::flags::{self, Flags, Prefix, Value, Visitor};

impl Flags for Settings {
    const PREFIX: Prefix = Prefix {
        flag: "session",
        variable: "FAILOVER_SESSION",
    };

    fn visit<V: Visitor>(&mut self, v: &mut V) {
        v.flag(
            "healthy-after",
            "How long a session has to run to count as healthy",
            "10s",
            &mut self.healthy_after,
        );
        v.flag(
            "attempt-timeout",
            "How long one attempt to connect may take",
            "30s, or a third of the time to give up after",
            &mut self.attempt_timeout,
        );
        v.flag(
            "give-up-after",
            "How long after the first failure to give up; 0s is never",
            "0s",
            &mut self.give_up_after,
        );
        v.flag(
            "per-target-attempts",
            "How many attempts in a row one target gets; 0 is no limit",
            "3",
            &mut self.per_target_attempts,
        );
        v.flag(
            "total-attempts",
            "How many attempts in a row are made in all; 0 is no limit",
            "0",
            &mut self.total_attempts,
        );
        v.flag(
            "resume-window",
            "For how long after its session a resume token is of use; 0s is for ever",
            "0s",
            &mut self.resume_window,
        );
        v.flag(
            "exclusion-ttl",
            "For how long an excluded target is left alone at most",
            "60s",
            &mut self.exclusion_ttl,
        );
        v.flag(
            "forgive",
            "When exclusions are cleared",
            "on-healthy",
            &mut self.forgive,
        );
        v.flag(
            "drain",
            "How long a session may serve on while its successor is dialed",
            "10s",
            &mut self.drain,
        );
        v.flag(
            "close-timeout",
            "How long a graceful close may take",
            "5s",
            &mut self.close_timeout,
        );
        self.backoff.visit(v, ["1s", "30s"]);
    }
}

impl Value for Forgive {
    const NAME: &'static str = "when";

    fn arg(arg: Arg) -> Arg {
        flags::one_of::<Self>(arg)
    }
}

/// With the feature `clap`; see [`Settings`](crate::Settings#as-flags) of the layer.
impl Args for Settings {
    fn group_id() -> Option<Id> {
        Some(flags::group::<Self>())
    }

    fn augment_args(command: Command) -> Command {
        flags::declare::<Self>(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        flags::declare::<Self>(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        flags::take(self, matches);
        Ok(())
    }
}
