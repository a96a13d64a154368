use serde::{Deserialize, Serialize};

use super::number::Ratio;
use crate::budget::Budget;

/// What was set of a [`Budget`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BudgetSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<Ratio>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cap: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unlimited: Option<bool>,
}

impl BudgetSettings {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self {
            ratio: self.ratio.or(other.ratio),
            cap: self.cap.or(other.cap),
            unlimited: self.unlimited.or(other.unlimited),
        }
    }

    /// Without a setting the budget stays the one it is, tokens and sharers included.
    pub(super) fn apply(&self, budget: &mut Budget) {
        match self.unlimited {
            Some(true) => *budget = Budget::unlimited(),
            Some(false) if budget.is_unlimited() => *budget = Budget::default(),
            _ => {}
        }
        if let Some(ratio) = self.ratio {
            *budget = budget.clone().ratio(ratio.into());
        }
        if let Some(cap) = self.cap {
            *budget = budget.clone().cap(cap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(file: &str, budget: &Budget) -> Budget {
        let settings: BudgetSettings = toml::from_str(file).expect("good settings");
        let mut budget = budget.clone();
        settings.apply(&mut budget);
        budget
    }

    fn spend(budget: &Budget) {
        budget.withdraw().expect("a token").sent();
    }

    #[test]
    fn a_ratio_leaves_the_cap_as_it_is_and_a_cap_the_ratio() {
        for (file, budget) in [
            ("ratio = 0.5", Budget::new(0.1).cap(2)),
            ("cap = 2", Budget::new(0.5)),
            (
                "unlimited = false\nratio = 0.5\ncap = 2",
                Budget::unlimited(),
            ),
        ] {
            let budget = applied(file, &budget);
            assert_eq!(budget.available(), 2.0, "{file}");
            spend(&budget);
            budget.deposit();
            assert_eq!(budget.available(), 1.5, "{file}");
            (0..9).for_each(|_| budget.deposit());
            assert_eq!(budget.available(), 2.0, "{file}");
        }
    }

    #[test]
    fn a_budget_of_which_nothing_is_set_is_still_shared() {
        for file in ["", "unlimited = false"] {
            let shared = Budget::new(0.1);
            spend(&applied(file, &shared));
            assert_eq!(shared.available(), 4.0, "{file}");
        }
        let shared = Budget::new(0.1);
        spend(&applied("ratio = 0.1", &shared));
        assert_eq!(shared.available(), 5.0);
    }

    #[test]
    fn unlimited_wins_over_what_bounds() {
        let budget = applied("unlimited = true\nratio = 0.5\ncap = 2", &Budget::default());
        assert_eq!(budget.available(), f64::INFINITY);
    }
}
