//! One line of the table of goals.

use super::outcome::{Outcome, Outcomes};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// It is not a matter of the fleet, and shown elsewhere.
    Elsewhere,
    /// For the reader: there is no goal.
    None,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) goal: &'static str,
    pub(crate) what: String,
    pub(crate) bound: String,
    pub(crate) value: String,
    pub(crate) verdict: Verdict,
}

/// What a value has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Within(f64, f64),
    /// It is a cost, stated as this, and no goal.
    Stated,
}

impl Bound {
    fn verdict(self, value: f64) -> Verdict {
        let is_met = match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::Within(least, most) => (least..=most).contains(&value),
            Self::Stated => return Verdict::None,
        };
        if is_met {
            Verdict::Met
        } else {
            Verdict::Missed
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(most) => format!("at most {most}"),
            Self::AtLeast(least) => format!("at least {least}"),
            Self::Within(least, most) => format!("{least} to {most}"),
            Self::Stated => "stated".into(),
        }
    }
}

impl Row {
    pub(crate) fn repeated(is_same: bool) -> Self {
        Self {
            goal: "seed",
            what: "two runs from one seed count the same".into(),
            bound: "equal".into(),
            value: if is_same { "equal" } else { "different" }.into(),
            verdict: if is_same {
                Verdict::Met
            } else {
                Verdict::Missed
            },
        }
    }

    fn elsewhere(goal: &'static str, what: &str, shown_by: &str) -> Self {
        Self {
            goal,
            what: what.into(),
            bound: String::new(),
            value: shown_by.into(),
            verdict: Verdict::Elsewhere,
        }
    }
}

/// The table as it grows.
pub(crate) struct Rows<'a> {
    pub(crate) outcomes: &'a Outcomes,
    pub(crate) rows: Vec<Row>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(outcomes: &'a Outcomes) -> Self {
        Self {
            outcomes,
            rows: Vec::new(),
        }
    }

    /// A row on this scenario, if it was run.
    pub(crate) fn add(
        &mut self,
        goal: &'static str,
        scenario: &str,
        what: &str,
        bound: Bound,
        value: impl FnOnce(&Outcome) -> f64,
    ) {
        if let Some(outcome) = self.outcomes.get(scenario) {
            self.push(goal, format!("{scenario}: {what}"), bound, value(outcome));
        }
    }

    pub(crate) fn push(&mut self, goal: &'static str, what: String, bound: Bound, value: f64) {
        self.rows.push(Row {
            goal,
            what,
            bound: bound.text(),
            value: format!("{value:.3}"),
            verdict: bound.verdict(value),
        });
    }

    pub(crate) fn elsewhere(&mut self, goal: &'static str, what: &str, shown_by: &str) {
        self.rows.push(Row::elsewhere(goal, what, shown_by));
    }
}
