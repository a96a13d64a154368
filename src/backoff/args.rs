use super::Partial;
use crate::settings::flags::Visitor;

impl Partial {
    /// Shows the settings, for a place where base and cap have these defaults.
    pub(crate) fn visit<V: Visitor>(&mut self, v: &mut V, [base, cap]: [&str; 2]) {
        v.flag(
            "backoff-base",
            "The longest wait before the second attempt",
            base,
            &mut self.base,
        );
        v.flag(
            "backoff-cap",
            "The longest wait before any attempt",
            cap,
            &mut self.cap,
        );
        v.flag(
            "backoff-factor",
            "By what the wait grows from one attempt to the next",
            "2",
            &mut self.factor,
        );
        v.flag(
            "backoff-jitter",
            "Which part of a wait is left to chance",
            "full",
            &mut self.jitter,
        );
    }
}
