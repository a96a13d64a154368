//! Random directives.

use std::time::Duration;

use proptest::{option, prelude::*, sample::select};
use tower_failover::session::Directive;

use super::scripts::ms;

/// A directive, for they do not show what they say.
#[derive(Clone, Debug)]
pub(super) struct Says {
    pub(super) kind: Kind,
    pub(super) after: Option<Duration>,
    pub(super) excludes: bool,
    pub(super) is_soft: bool,
    pub(super) keeps: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Resume,
    Retry,
    Migrate,
    Rejoin,
    Finish,
    Fail,
}

impl Says {
    /// What servers advise.
    pub(super) fn migrate() -> Self {
        Self {
            kind: Kind::Migrate,
            after: None,
            excludes: false,
            is_soft: false,
            keeps: None,
        }
    }

    pub(super) fn directive(&self) -> Directive {
        let mut directive = match self.kind {
            Kind::Resume => Directive::resume(),
            Kind::Retry => Directive::retry(),
            Kind::Migrate => Directive::migrate(),
            Kind::Rejoin => Directive::rejoin(),
            Kind::Finish => Directive::finish(),
            Kind::Fail => Directive::fail(),
        };
        if let Some(after) = self.after {
            directive = directive.after(after);
        }
        if self.excludes {
            directive = directive.exclude();
        }
        if self.is_soft {
            directive = directive.soft();
        }
        match self.keeps {
            Some(true) => directive.keep_resume(),
            Some(false) => directive.drop_resume(),
            None => directive,
        }
    }

    /// Whether the region is not to be used again for now.
    pub(super) fn leaves(&self) -> bool {
        self.excludes || self.kind == Kind::Migrate
    }
}

pub(super) fn says() -> impl Strategy<Value = Says> {
    use Kind::*;
    let kinds = [
        Resume, Resume, Resume, Retry, Retry, Retry, Migrate, Migrate, Rejoin,
    ];
    let kind = prop_oneof![40 => select(kinds.to_vec()), 1 => Just(Finish), 1 => Just(Fail)];
    let after = option::weighted(0.2, ms(0..2000));
    let keeps = option::weighted(0.3, any::<bool>());
    (kind, after, prop::bool::weighted(0.2), any::<bool>(), keeps).prop_map(
        |(kind, after, excludes, is_soft, keeps)| Says {
            kind,
            after,
            excludes,
            is_soft,
            keeps,
        },
    )
}
