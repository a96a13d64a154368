use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Id};

use super::{
    Settings,
    flags::{self, Flags, Prefix, Visitor},
};

impl Flags for Settings {
    const PREFIX: Prefix = Prefix {
        flag: "failover",
        variable: "FAILOVER",
    };

    fn visit<V: Visitor>(&mut self, v: &mut V) {
        v.flag(
            "max-attempts",
            "How many attempts one call may use, the first included",
            "3",
            &mut self.max_attempts,
        );
        v.flag(
            "attempt-timeout",
            "How long a region may keep a call from trying the next one; 0s is for ever",
            "5s",
            &mut self.attempt_timeout,
        );
        v.flag(
            "total-timeout",
            "How long a call may take over all attempts; 0s is for ever",
            "0s",
            &mut self.total_timeout,
        );
        v.flag(
            "min-attempt-time",
            "How much of the total time must be left for a later attempt",
            "0s",
            &mut self.min_attempt_time,
        );
        v.flag(
            "replay",
            "Which requests may be sent again once they may have been processed",
            "safe",
            &mut self.replay,
        );
        v.flag(
            "max-replay-body",
            "How many bytes of a request's body are kept for a replay",
            "1048576",
            &mut self.max_replay_body,
        );
        v.flag(
            "idempotency-key",
            "The header in which each call gets a random key",
            "none",
            &mut self.idempotency_key,
        );
        v.flag(
            "retry-same-region",
            "Whether a region may be asked again when no untried one is left",
            "false",
            &mut self.retry_same_region,
        );
        v.flag(
            "hedge",
            "When a late call is sent to a second region too: off, p95 or a duration",
            "off",
            &mut self.hedge,
        );
        self.backoff.visit(v, ["100ms", "2s"]);
        self.budget.visit(v);
        self.health.visit(v);
    }
}

impl super::BudgetSettings {
    fn visit<V: Visitor>(&mut self, v: &mut V) {
        v.flag(
            "budget-ratio",
            "How many replays each answered call pays for",
            "0.1",
            &mut self.ratio,
        );
        v.flag(
            "budget-cap",
            "How many replays may fail at once",
            "by the rate of calls",
            &mut self.cap,
        );
        v.flag(
            "budget-unlimited",
            "Whether replays go without a budget",
            "false",
            &mut self.unlimited,
        );
    }
}

impl super::HealthSettings {
    fn visit<V: Visitor>(&mut self, v: &mut V) {
        v.flag(
            "health-off",
            "Whether nothing is remembered of regions that failed",
            "false",
            &mut self.off,
        );
        v.flag(
            "health-consecutive",
            "How many failures in a row eject a region",
            "2",
            &mut self.consecutive,
        );
        v.flag(
            "health-ramp",
            "Over which time calls return to a region that is back",
            "10s",
            &mut self.ramp,
        );
        v.flag(
            "health-probe",
            "The request that finds out whether a region is back",
            "HEAD /",
            &mut self.probe,
        );
        v.flag(
            "health-probe-min",
            "The wait before the first probe of a region",
            "2s",
            &mut self.probe_min,
        );
        v.flag(
            "health-probe-max",
            "The longest wait before a probe",
            "15s",
            &mut self.probe_max,
        );
    }
}

/// With the feature `clap`; see [As flags](Settings#as-flags).
///
/// ```
/// use clap::Parser;
/// use tower_failover::{FailoverLayer, Regions, Settings, session};
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     failover: Settings,
///     #[command(flatten)]
///     session: session::Settings,
/// }
///
/// let cli = Cli::parse_from(["program", "--failover-attempt-timeout", "2s"]);
/// // What the file says, save for what the command line or the environment does.
/// let file: Settings = toml::from_str("max_attempts = 2")?;
/// let settings = cli.failover.or(file);
/// # let regions = Regions::fixed(["https://eu.api.example.com"])?;
/// let layer = FailoverLayer::new(regions).settings(settings);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
